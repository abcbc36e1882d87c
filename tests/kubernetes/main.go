// SPDX-License-Identifier: Apache-2.0

// Command kubernetes-check reads an AuthenticationConfiguration as kube-apiserver does, and authenticates tokens by it, with
// kube-apiserver's own code:
//
//	kubernetes-check CONFIGURATION JWKS-URL < tokens
//
// It prints a line of JSON for each line of its input: the user that the token makes, or the error. It exits with 1, and says why, if
// kube-apiserver would refuse the configuration. The key set's URL stands in for the discovery document, which must be at an https URL.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	keys "github.com/coreos/go-oidc"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/apis/apiserver/install"
	"k8s.io/apiserver/pkg/apis/apiserver/validation"
	celauthentication "k8s.io/apiserver/pkg/authentication/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/apiserver/plugin/pkg/authenticator/token/oidc"
)

type verdict struct {
	User   string   `json:"user,omitempty"`
	Groups []string `json:"groups,omitempty"`
	Error  string   `json:"error,omitempty"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 3 {
		return errors.New("expected a configuration and the URL of a key set")
	}
	configuration, err := read(os.Args[1])
	if err != nil {
		return err
	}
	ctx := context.Background()
	authenticator, err := oidc.New(ctx, oidc.Options{
		JWTAuthenticator: configuration.JWT[0],
		KeySet:           keys.NewRemoteKeySet(ctx, os.Args[2]),
		// As kube-apiserver does with a file of configuration.
		SupportedSigningAlgs: oidc.AllValidSigningAlgorithms(),
	})
	if err != nil {
		return err
	}
	tokens, verdicts := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	for tokens.Scan() {
		response, ok, err := authenticator.AuthenticateToken(ctx, tokens.Text())
		var said verdict
		switch {
		case err != nil:
			said.Error = err.Error()
		case !ok:
			said.Error = "no token of this issuer"
		default:
			said.User, said.Groups = response.User.GetName(), response.User.GetGroups()
		}
		if err := verdicts.Encode(said); err != nil {
			return err
		}
	}
	return tokens.Err()
}

// read decodes strictly, and validates.
func read(file string) (*apiserver.AuthenticationConfiguration, error) {
	bytes, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	install.Install(scheme)
	codecs := serializer.NewCodecFactory(scheme, serializer.EnableStrict)
	configuration := &apiserver.AuthenticationConfiguration{}
	if err := runtime.DecodeInto(codecs.UniversalDecoder(), bytes, configuration); err != nil {
		return nil, err
	}
	compiler := celauthentication.NewCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	if errors := validation.ValidateAuthenticationConfiguration(compiler, configuration, nil); len(errors) > 0 {
		return nil, errors.ToAggregate()
	}
	return configuration, nil
}
