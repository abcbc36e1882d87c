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

const ADDRESS: HeaderName = HeaderName::from_static("x-original-address");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What is asked about, by a proxy of this style. `target` is what follows the style in the path.
pub(crate) fn read_asked<'a>(style: Style, target: &'a str, head: &'a Parts) -> Result<Asked<'a>, AskedError> {
    match style {
        Style::Nginx | Style::Original => read_original(&head.headers),
        Style::Forwarded => read_forwarded(&head.headers),
        Style::Either => read_either(&head.headers),
        Style::Itself => {
            let host = one(&head.headers, &http::header::HOST, "Host")?;
            let target = if target.is_empty() { "/" } else { target };
            let asked = read_parts(Some(head.method.as_str()), host, Some(target))?;
            Ok(Asked { source_address: last_forwarded(&head.headers), ..asked })
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
    let address = one(headers, &ADDRESS, "X-Original-Address")?.and_then(|address| address.parse().ok());
    Ok(Asked { source_address: address, ..read_family(&ORIGINAL, headers)? })
}

fn read_forwarded(headers: &HeaderMap) -> Result<Asked<'_>, AskedError> {
    Ok(Asked { source_address: last_forwarded(headers), ..read_family(&FORWARDED, headers)? })
}

/// A proxy puts the address that it saw at the end; all before it is its client's word.
fn last_forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all(FORWARDED_FOR).iter().next_back()?.to_str().ok()?;
    last.rsplit(',').next()?.trim().parse().ok()
}

fn read_family<'a>(family: &Family, headers: &'a HeaderMap) -> Result<Asked<'a>, AskedError> {
    let header = |(name, shown): &(HeaderName, &'static str)| one(headers, name, shown);
    read_parts(header(&family.method)?, header(&family.host)?, header(&family.target)?)
}

/// A proxy sets the headers of its family and passes on whatever its client sent of the other, so the two may not contradict
/// each other: nobody could tell which are the client's. The host of the other family is no contradiction, since a second proxy in front
/// sets it too.
fn read_either(headers: &HeaderMap) -> Result<Asked<'_>, AskedError> {
    let says = |family: &Family| headers.contains_key(&family.method.0) || headers.contains_key(&family.target.0);
    if !says(&ORIGINAL) {
        // Without either, even the host is not asked about: X-Forwarded-Host alone is whoever's.
        return if says(&FORWARDED) { read_forwarded(headers) } else { read_hosts(headers) };
    }
    agree(headers, &ORIGINAL.method, &FORWARDED.method)?;
    agree(headers, &ORIGINAL.target, &FORWARDED.target)?;
    read_original(headers)
}

fn read_hosts(headers: &HeaderMap) -> Result<Asked<'_>, AskedError> {
    read_parts(None, one(headers, &ORIGINAL.host.0, ORIGINAL.host.1)?, None)
}

fn agree(
    headers: &HeaderMap,
    (name, shown): &(HeaderName, &'static str),
    (other, other_shown): &(HeaderName, &'static str),
) -> Result<(), AskedError> {
    match (one(headers, name, shown)?, one(headers, other, other_shown)?) {
        (text, Some(other)) if text != Some(other) => Err(AskedError::Contradiction(shown, other_shown)),
        _ => Ok(()),
    }
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

    use super::*;

    fn asked(uri: &str, headers: &[(&str, &str)]) -> Result<(String, String, String), AskedError> {
        let mut request = Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
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
        let put = ("PUT".to_owned(), "a.x".to_owned(), "/a".to_owned());
        let get = ("GET".to_owned(), "b.x".to_owned(), "/b".to_owned());
        let none = ("-".to_owned(), "-".to_owned(), "-".to_owned());
        let itself = ("GET".to_owned(), "c.x".to_owned(), "/c".to_owned());
        for (uri, headers, expected) in [
            ("/verify", &original[..], Ok(put.clone())),
            ("/verify", &forwarded, Ok(get.clone())),
            ("/verify", &[], Ok(none.clone())),
            ("/verify", &forwarded[1..2], Ok(none.clone())),
            ("/verify", &both, Err(AskedError::Contradiction("X-Original-Method", "X-Forwarded-Method"))),
            (
                "/verify",
                &[("x-original-uri", "/a"), ("x-forwarded-uri", "/b")],
                Err(AskedError::Contradiction("X-Original-URI", "X-Forwarded-Uri")),
            ),
            (
                "/verify",
                &[("x-original-method", "GET"), ("x-forwarded-uri", "/b")],
                Err(AskedError::Contradiction("X-Original-URI", "X-Forwarded-Uri")),
            ),
            ("/verify/nginx", &both, Ok(put.clone())),
            ("/verify/haproxy", &both, Ok(put)),
            ("/verify/traefik", &both, Ok(get.clone())),
            ("/verify/caddy", &both, Ok(get)),
            ("/verify/nginx", &forwarded, Ok(none)),
            ("/verify/envoy/c?d", &[("host", "c.x:80"), ("x-original-uri", "/x")], Ok(itself)),
            (
                "/verify/nginx",
                &[("x-original-uri", "/a"), ("x-original-uri", "/a")],
                Err(AskedError::Repeated("X-Original-URI")),
            ),
            ("/verify/nginx", &[("x-original-uri", "/é")], Err(AskedError::NotText("X-Original-URI"))),
            ("/verify/nginx", &[("x-original-method", "get")], Err(AskedError::Method)),
            ("/verify/traefik", &[("x-forwarded-host", "a, b")], Err(AskedError::Host(super::super::HostError))),
            ("/verify/envoy//c", &[], Err(AskedError::Path(super::super::PathError::EmptySegment))),
        ] {
            assert_eq!(asked(uri, headers), expected, "{uri} {headers:?}");
        }
    }
}
