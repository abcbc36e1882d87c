// SPDX-License-Identifier: Apache-2.0
//! Reads what a proxy asks about from the headers of its kind.

use std::net::IpAddr;

use http::request::Parts;
use http::{HeaderMap, HeaderName};

use super::{Asked, AskedError, Style, check_method, check_path, read_host};

/// The headers in which one family of proxies says what it asks about.
struct Family {
    method: (HeaderName, &'static str),
    host: (HeaderName, &'static str),
    target: (HeaderName, &'static str),
}

const ORIGINAL: Family = Family {
    method: (HeaderName::from_static("x-original-method"), "X-Original-Method"),
    host: (HeaderName::from_static("x-original-host"), "X-Original-Host"),
    target: (HeaderName::from_static("x-original-uri"), "X-Original-URI"),
};

const FORWARDED: Family = Family {
    method: (HeaderName::from_static("x-forwarded-method"), "X-Forwarded-Method"),
    host: (HeaderName::from_static("x-forwarded-host"), "X-Forwarded-Host"),
    target: (HeaderName::from_static("x-forwarded-uri"), "X-Forwarded-Uri"),
};

const ORIGINAL_URL: HeaderName = HeaderName::from_static("x-original-url");
const ADDRESS: HeaderName = HeaderName::from_static("x-original-address");
const UNIX: &str = "unix:";
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What is asked about, by a proxy of this style. `target` is what follows the style in the path.
pub(crate) fn read_asked<'a>(style: Style, target: &'a str, head: &'a Parts) -> Result<Asked<'a>, AskedError> {
    match style {
        Style::Nginx | Style::Original => read_original(&head.headers),
        Style::IngressNginx => read_url(&head.headers),
        Style::Forwarded => read_forwarded(&head.headers),
        Style::Either => read_either(&head.headers),
        Style::Itself => {
            let host = one(&head.headers, &http::header::HOST, "Host")?;
            let target = if target.is_empty() { "/" } else { target };
            // No address: the last of X-Forwarded-For may be the client's word here.
            read_parts(Some(head.method.as_str()), host, Some(target))
        }
    }
}

/// The same, from what is known by itself.
pub(crate) fn read_parts<'a>(
    method: Option<&'a str>,
    host: Option<&'a str>,
    target: Option<&'a str>,
) -> Result<Asked<'a>, AskedError> {
    Ok(Asked {
        method: method.map(check_method).transpose()?,
        host: host.map(read_host).transpose()?,
        path: target.map(check_path).transpose()?,
        source_address: None,
    })
}

fn read_original(headers: &HeaderMap) -> Result<Asked<'_>, AskedError> {
    // nginx says so of a client that came over a Unix socket, and has no address.
    let address = one(headers, &ADDRESS, "X-Original-Address")?.filter(|address| *address != UNIX);
    let address = address.map(|address| address.parse().map_err(|_| AskedError::Address("X-Original-Address")));
    Ok(Asked { source_address: address.transpose()?, ..read_family(&ORIGINAL, headers)? })
}

/// The whole URL in one header. It is cut, and nothing of it is repaired.
fn read_url(headers: &HeaderMap) -> Result<Asked<'_>, AskedError> {
    let method = one(headers, &ORIGINAL.method.0, ORIGINAL.method.1)?;
    let Some(url) = one(headers, &ORIGINAL_URL, "X-Original-URL")? else { return read_parts(method, None, None) };
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).ok_or(AskedError::Url)?;
    let (host, target) = rest.split_at(rest.find('/').ok_or(AskedError::Url)?);
    read_parts(method, Some(host), Some(target))
}

fn read_forwarded(headers: &HeaderMap) -> Result<Asked<'_>, AskedError> {
    Ok(Asked { source_address: last_forwarded(headers)?, ..read_family(&FORWARDED, headers)? })
}

/// A proxy puts the address that it saw at the end; all before it is its client's word.
fn last_forwarded(headers: &HeaderMap) -> Result<Option<IpAddr>, AskedError> {
    let Some(values) = headers.get_all(FORWARDED_FOR).iter().next_back() else { return Ok(None) };
    let last = values.to_str().ok().and_then(|values| values.rsplit(',').next());
    let address = last.and_then(|address| address.trim().parse().ok());
    address.map(Some).ok_or(AskedError::Address("X-Forwarded-For"))
}

fn read_family<'a>(family: &Family, headers: &'a HeaderMap) -> Result<Asked<'a>, AskedError> {
    let header = |(name, shown): &(HeaderName, &'static str)| one(headers, name, shown);
    read_parts(header(&family.method)?, header(&family.host)?, header(&family.target)?)
}

/// A proxy sets the headers of its family and passes on whatever its client sent of the other. So where both are there they must say
/// the same, each header: nobody could tell which are the client's. A host alone is whoever's, and no address is believed.
fn read_either(headers: &HeaderMap) -> Result<Asked<'_>, AskedError> {
    let says =
        |family: &Family| [&family.method, &family.host, &family.target].map(|(name, _)| headers.contains_key(name));
    let (original, forwarded) = (says(&ORIGINAL).contains(&true), says(&FORWARDED).contains(&true));
    if original && forwarded {
        agree(headers, &ORIGINAL.method, &FORWARDED.method)?;
        agree(headers, &ORIGINAL.host, &FORWARDED.host)?;
        agree(headers, &ORIGINAL.target, &FORWARDED.target)?;
    }
    let asked = if original { read_family(&ORIGINAL, headers)? } else { read_family(&FORWARDED, headers)? };
    let is_host_alone = asked.method.is_none() && asked.path.is_none();
    Ok(if is_host_alone { Asked::default() } else { asked })
}

fn agree(
    headers: &HeaderMap,
    (name, shown): &(HeaderName, &'static str),
    (other, other_shown): &(HeaderName, &'static str),
) -> Result<(), AskedError> {
    let is_same = one(headers, name, shown)? == one(headers, other, other_shown)?;
    if is_same { Ok(()) } else { Err(AskedError::Contradiction(shown, other_shown)) }
}

fn one<'a>(headers: &'a HeaderMap, name: &HeaderName, shown: &'static str) -> Result<Option<&'a str>, AskedError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(AskedError::Repeated(shown));
    }
    value.to_str().map(Some).map_err(|_| AskedError::NotText(shown))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::super::{HostError, PathError};
    use super::*;

    fn head(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn asked(uri: &str, headers: &[(&str, &str)]) -> Result<(String, String, String), AskedError> {
        let head = head(uri, headers);
        let path = head.uri.path_and_query().unwrap().as_str().to_owned();
        let (style, target) = Style::of(&path).unwrap();
        let asked = read_asked(style, target, &head)?;
        let text = |part: Option<&str>| part.unwrap_or("-").to_owned();
        Ok((text(asked.method), text(asked.host.as_deref()), text(asked.path)))
    }

    #[test]
    fn each_proxy_is_heard_where_it_speaks() {
        let original = [("x-original-method", "PUT"), ("x-original-host", "A.x:1"), ("x-original-uri", "/a?b")];
        let forwarded = [("x-forwarded-method", "GET"), ("x-forwarded-host", "b.x"), ("x-forwarded-uri", "/b")];
        let both = [original, forwarded].concat();
        let renamed = [("x-forwarded-method", "PUT"), ("x-forwarded-host", "A.x:1"), ("x-forwarded-uri", "/a?b")];
        let same = [original, renamed].concat();
        let url = |url: &'static str| [("x-original-method", "PUT"), ("x-original-url", url)];
        let put = ("PUT".to_owned(), "a.x".to_owned(), "/a".to_owned());
        let get = ("GET".to_owned(), "b.x".to_owned(), "/b".to_owned());
        let none = ("-".to_owned(), "-".to_owned(), "-".to_owned());
        let itself = ("GET".to_owned(), "c.x".to_owned(), "/c".to_owned());
        for (uri, headers, expected) in [
            ("/verify", &original[..], Ok(put.clone())),
            ("/verify", &forwarded, Ok(get.clone())),
            ("/verify", &[], Ok(none.clone())),
            ("/verify", &forwarded[1..2], Ok(none.clone())),
            ("/verify", &original[1..2], Ok(none.clone())),
            (
                "/verify",
                &[("x-original-host", "a.x"), ("x-forwarded-method", "GET"), ("x-forwarded-uri", "/b")],
                Err(AskedError::Contradiction("X-Original-Method", "X-Forwarded-Method")),
            ),
            (
                "/verify",
                &[("x-original-uri", "/a"), ("x-forwarded-uri", "/a"), ("x-forwarded-host", "b.x")],
                Err(AskedError::Contradiction("X-Original-Host", "X-Forwarded-Host")),
            ),
            (
                "/verify",
                &[("x-original-uri", "/a"), ("x-forwarded-host", "b.x")],
                Err(AskedError::Contradiction("X-Original-Host", "X-Forwarded-Host")),
            ),
            ("/verify", &same, Ok(put.clone())),
            ("/verify", &both, Err(AskedError::Contradiction("X-Original-Method", "X-Forwarded-Method"))),
            (
                "/verify",
                &[("x-original-uri", "/a"), ("x-forwarded-uri", "/b")],
                Err(AskedError::Contradiction("X-Original-URI", "X-Forwarded-Uri")),
            ),
            (
                "/verify",
                &[("x-original-method", "GET"), ("x-forwarded-uri", "/b")],
                Err(AskedError::Contradiction("X-Original-Method", "X-Forwarded-Method")),
            ),
            ("/verify/nginx", &both, Ok(put.clone())),
            ("/verify/haproxy", &both, Ok(put.clone())),
            ("/verify/traefik", &both, Ok(get.clone())),
            ("/verify/caddy", &both, Ok(get)),
            ("/verify/nginx", &forwarded, Ok(none.clone())),
            ("/verify/ingress-nginx", &url("https://A.x:1/a?b"), Ok(put.clone())),
            (
                "/verify/ingress-nginx",
                &[url("http://a.x/a"), original[1..].try_into().unwrap()].concat(),
                Ok(put.clone()),
            ),
            ("/verify/ingress-nginx", &[original, forwarded].concat()[1..], Ok(none)),
            ("/verify/ingress-nginx", &url("https://a.x"), Err(AskedError::Url)),
            ("/verify/ingress-nginx", &url("HTTPS://a.x/"), Err(AskedError::Url)),
            ("/verify/ingress-nginx", &url("ftp://a.x/"), Err(AskedError::Url)),
            ("/verify/ingress-nginx", &url("/a"), Err(AskedError::Url)),
            ("/verify/ingress-nginx", &url("https:///a"), Err(AskedError::Host(HostError))),
            ("/verify/ingress-nginx", &url("https://u@a.x/a"), Err(AskedError::Host(HostError))),
            ("/verify/ingress-nginx", &url("https://a.x?b/a"), Err(AskedError::Host(HostError))),
            ("/verify/ingress-nginx", &url("https://a.x*"), Err(AskedError::Url)),
            ("/verify/ingress-nginx", &url("https://a.xhttps://b.x/a"), Err(AskedError::Path(PathError::EmptySegment))),
            ("/verify/ingress-nginx", &url("https://a.x/a/../b"), Err(AskedError::Path(PathError::DotSegment))),
            ("/verify/envoy/c?d", &[("host", "c.x:80"), ("x-original-uri", "/x")], Ok(itself)),
            (
                "/verify/nginx",
                &[("x-original-uri", "/a"), ("x-original-uri", "/a")],
                Err(AskedError::Repeated("X-Original-URI")),
            ),
            ("/verify/nginx", &[("x-original-uri", "/é")], Err(AskedError::NotText("X-Original-URI"))),
            ("/verify/nginx", &[("x-original-method", "get")], Err(AskedError::Method)),
            ("/verify/traefik", &[("x-forwarded-host", "a, b")], Err(AskedError::Host(HostError))),
            ("/verify/envoy//c", &[], Err(AskedError::Path(PathError::EmptySegment))),
        ] {
            assert_eq!(asked(uri, headers), expected, "{uri} {headers:?}");
        }
    }

    #[test]
    fn an_address_is_the_proxys_word_or_an_error() {
        let (original, forwarded) = ("x-original-address", "x-forwarded-for");
        let here = "10.0.0.1".parse().ok();
        for (uri, headers, expected) in [
            ("/verify/nginx", &[(original, "10.0.0.1")][..], Ok(here)),
            ("/verify/haproxy", &[(original, "::1")], Ok("::1".parse().ok())),
            ("/verify/nginx", &[(forwarded, "10.0.0.1")], Ok(None)),
            ("/verify/nginx", &[(original, "unix:")], Ok(None)),
            ("/verify/nginx", &[(original, "unix:/x")], Err(AskedError::Address("X-Original-Address"))),
            ("/verify/nginx", &[(original, "")], Err(AskedError::Address("X-Original-Address"))),
            ("/verify/traefik", &[(forwarded, "x, 10.0.0.1")], Ok(here)),
            ("/verify/caddy", &[(forwarded, "x"), (forwarded, "10.0.0.1")], Ok(here)),
            ("/verify/caddy", &[(original, "10.0.0.1")], Ok(None)),
            ("/verify/caddy", &[(forwarded, "10.0.0.1, x")], Err(AskedError::Address("X-Forwarded-For"))),
            ("/verify/traefik", &[(forwarded, "")], Err(AskedError::Address("X-Forwarded-For"))),
            ("/verify/envoy/a", &[(forwarded, "10.0.0.1"), (original, "10.0.0.1")], Ok(None)),
            ("/verify/ingress-nginx", &[(forwarded, "10.0.0.1"), (original, "10.0.0.1")], Ok(None)),
            ("/verify", &[("x-original-uri", "/a"), (original, "10.0.0.1")], Ok(None)),
            ("/verify", &[("x-forwarded-uri", "/a"), (forwarded, "10.0.0.1")], Ok(None)),
        ] {
            let head = head(uri, headers);
            let (style, target) = Style::of(head.uri.path_and_query().unwrap().as_str()).unwrap();
            let address = read_asked(style, target, &head).map(|asked| asked.source_address);
            assert_eq!(address, expected, "{uri} {headers:?}");
        }
    }
}
