// SPDX-License-Identifier: Apache-2.0
//! Which proxy asks, told by the path that it asks at, and so where it says what it asks about.

/// Where everything begins.
const VERIFY: &str = "/verify";

/// Where a proxy says what it asks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// `/verify`: in the headers of one of the two families, whichever is there.
    Either,
    /// `/verify/nginx`: in `X-Original-Method`, `-Host` and `-URI`. nginx makes 500 of every refusal but 401 and 403, so 400 becomes
    /// 403 here.
    Nginx,
    /// `/verify/ingress-nginx`: in `X-Original-Method` and the whole URL in `X-Original-URL`. 400 becomes 403 here too.
    IngressNginx,
    /// `/verify/haproxy`: in the same headers.
    Original,
    /// `/verify/traefik`, `/verify/caddy`: in `X-Forwarded-Method`, `-Host` and `-Uri`.
    Forwarded,
    /// `/verify/envoy`, `/verify/istio` and then the path: in the request itself.
    Itself,
}

impl Style {
    /// The style of the path that is asked at, and, where the path asked about follows it, that. None if it is another path.
    pub(crate) fn of(path_and_query: &str) -> Option<(Self, &str)> {
        let rest = path_and_query.strip_prefix(VERIFY)?;
        let ends = |rest: &str| rest.is_empty() || rest.starts_with('?');
        if ends(rest) {
            return Some((Self::Either, ""));
        }
        let rest = rest.strip_prefix('/')?;
        let (name, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        match name {
            "nginx" if ends(target) => Some((Self::Nginx, "")),
            "ingress-nginx" if ends(target) => Some((Self::IngressNginx, "")),
            "haproxy" if ends(target) => Some((Self::Original, "")),
            "traefik" | "caddy" if ends(target) => Some((Self::Forwarded, "")),
            "envoy" | "istio" => Some((Self::Itself, target)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_tells_the_proxy() {
        for (path, style) in [
            ("/verify", Some((Style::Either, ""))),
            ("/verify?x", Some((Style::Either, ""))),
            ("/verify/nginx", Some((Style::Nginx, ""))),
            ("/verify/ingress-nginx", Some((Style::IngressNginx, ""))),
            ("/verify/ingress-nginx/x", None),
            ("/verify/haproxy", Some((Style::Original, ""))),
            ("/verify/traefik?x=y", Some((Style::Forwarded, ""))),
            ("/verify/caddy", Some((Style::Forwarded, ""))),
            ("/verify/envoy/a/b?c", Some((Style::Itself, "/a/b?c"))),
            ("/verify/envoy//a", Some((Style::Itself, "//a"))),
            ("/verify/istio", Some((Style::Itself, ""))),
            ("/verify/", None),
            ("/verify/nginx/x", None),
            ("/verifyx", None),
            ("/verify/apache", None),
            ("/", None),
        ] {
            assert_eq!(Style::of(path), style, "{path}");
        }
    }
}
