// SPDX-License-Identifier: Apache-2.0
use std::path::Path;

use cress_service::config::{Sources, load};

use super::*;

const GOOD: &str = r#"
data_dir = "/var/lib/cress-broker"
audience = "https://broker.example"
[issuers.fleet]
preset = "cress"
issuer = "https://control.example"
[providers.keys]
type = "static"
[credentials.weather]
provider = "keys"
secret = "weather"
[policies]
files = ["POLICIES"]
"#;

const POLICY: &str = r#"@id("all") permit (principal, action == Cress::Action::"issue", resource)
when { principal has group_id && principal.group_id == "g" };"#;

/// What is loaded and checked, of the good text with these lines before it, and with one text replaced by another.
fn checked(before: &str, (from, to): (&str, &str)) -> Result<Config, String> {
    let directory = tempfile::tempdir().unwrap();
    let policies = directory.path().join("policies.cedar");
    std::fs::write(&policies, POLICY).unwrap();
    assert!(from.is_empty() || GOOD.contains(from), "{from}");
    let text =
        if from.is_empty() { format!("{before}\n{GOOD}") } else { format!("{before}\n{}", GOOD.replace(from, to)) };
    let text = text.replace("POLICIES", &policies.display().to_string());
    let config = read(directory.path(), &text)?;
    let checked = config.check_own().map_err(|error| error.to_string());
    checked.map(|()| config)
}

fn read(directory: &Path, text: &str) -> Result<Config, String> {
    let file = directory.join("broker.toml");
    std::fs::write(&file, text).unwrap();
    load::<Config>(&Sources::new("broker").file(Some(&file))).map_err(|error| error.to_string())
}

#[test]
fn a_good_file_is_read_with_what_only_providers_understand() {
    let config = checked("", ("", "")).unwrap();
    let weather = &config.credentials[&"weather".parse::<CredentialName>().unwrap()];
    assert_eq!(weather.settings.get("secret").and_then(toml::Value::as_str), Some("weather"));
    assert!(!weather.settings.contains_key("provider"));
    assert_eq!((weather.ttl_seconds_default(), weather.lifetime_seconds_max()), (900, 86_400));
    assert_eq!(config.url_at("127.0.0.1:9".parse().unwrap()), "http://127.0.0.1:9");
}

#[test]
fn each_mistake_names_its_key() {
    for (before, change, words) in [
        ("audiense = 1", ("", ""), "audiense"),
        ("", ("audience = \"https://broker.example\"", ""), "audience"),
        ("drain_seconds = 601", ("", ""), "drain_seconds: expected 0 to 600, got 601"),
        ("listen = \"0.0.0.0:8422\"", ("", ""), "listen: "),
        ("listen = \"0.0.0.0:8422\"\nbehind_proxy = true", ("", ""), "public_url: is missing"),
        ("listen = \"127.0.0.1:8433\"", ("", ""), "metrics.listen: expected another address"),
        ("public_url = \"https://broker.example/\"", ("", ""), "public_url"),
        (
            "public_url = \"https://control.example\"",
            ("", ""),
            "issuers.fleet: expected another issuer than the broker itself",
        ),
        ("rates.instance_burst = 0", ("", ""), "rates.instance_burst: expected 1 to 1000000, got 0"),
        ("audit.sinks = []", ("", ""), "audit: expected 1 to 8 sinks"),
        ("", ("preset = \"cress\"", "preset = \"cres\""), "preset"),
        ("", ("issuer = \"https://control.example\"", ""), "issuers.fleet: expected an issuer with the preset cress"),
        ("", ("issuer = \"https://control.example\"", "isuer = \"x\""), "isuer"),
        (
            "",
            ("preset = \"cress\"\nissuer = \"https://control.example\"", "preset = \"saladcloud\""),
            "issuers.fleet: expected accept_organization_audience = true",
        ),
        (
            "",
            ("preset = \"cress\"", "preset = \"cress\"\norganizations = [\"2c3573b6-88de-4067-821f-1af088bd9c6a\"]"),
            "issuers.fleet: expected `organizations` together with",
        ),
        (
            "",
            ("preset = \"cress\"", "preset = \"cress\"\nclaims.group = \"a=b\""),
            "issuers.fleet: claims: expected the name of a claim",
        ),
        (
            "",
            ("provider = \"keys\"", "provider = \"key\""),
            "credentials.weather.provider: expected the name of one of `providers`, got \"key\"",
        ),
        (
            "",
            ("secret = \"weather\"", "ttl_seconds_max = 5\nttl_seconds_default = 6"),
            "credentials.weather.ttl_seconds_default: expected 1 to 5, got 6",
        ),
        (
            "",
            ("secret = \"weather\"", "ttl_seconds_max = 5\nlifetime_seconds_max = 4"),
            "credentials.weather.lifetime_seconds_max: expected 5 to",
        ),
        ("", ("secret = \"weather\"", "parameters = [\"a=b\"]"), "credentials.weather.parameters: expected names"),
        ("", ("secret = \"weather\"", "shared = \"all\""), "shared"),
        ("", ("[credentials.weather]", "[credentials.Weather]"), "expected a name of 2 to 63 characters"),
        ("", ("files = [\"POLICIES\"]", "files = [\"POLICIES.not\"]"), "POLICIES.not: cannot read it"),
        ("", ("files = [\"POLICIES\"]", "files = []"), "policies.files: expected at least one policy"),
    ] {
        let error = checked(before, change).map(|_| ()).unwrap_err();
        let words = words.replace("POLICIES.not", ".not");
        assert!(error.contains(&words), "{before} {change:?}: {error}");
    }
}

#[test]
fn policies_may_be_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let text = GOOD.replace("POLICIES", &directory.path().display().to_string());
    let check = || read(directory.path(), &text).unwrap().check_own().map_err(|error| error.to_string());
    assert!(check().unwrap_err().contains("expected 1 to 1000 files *.cedar in it, got 0"));
    std::fs::write(at("b.cedar"), POLICY).unwrap();
    std::fs::write(at("a.cedar"), POLICY.replace("all", "other")).unwrap();
    std::fs::write(at("ignored.txt"), "not cedar").unwrap();
    assert_eq!(check(), Ok(()));
    std::fs::write(at("c.cedar"), POLICY).unwrap();
    assert!(check().unwrap_err().contains("expected each @id once, got \"all\""));
}
