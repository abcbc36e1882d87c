// SPDX-License-Identifier: Apache-2.0
//! An instance's environment: what it is given and a documented minimum, never the agent's own.

use std::collections::BTreeMap;

const PATH_DEFAULT: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The minimum: name, and value where the agent has none.
const MINIMUM: [(&str, Option<&str>); 4] =
    [("PATH", Some(PATH_DEFAULT)), ("HOME", Some("/")), ("LANG", Some("C.UTF-8")), ("TZ", None)];

/// The given variables, and the minimum where none is given.
pub(crate) fn complete(given: BTreeMap<String, String>) -> BTreeMap<String, String> {
    complete_from(given, |name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

fn complete_from(
    mut environment: BTreeMap<String, String>,
    agents: impl Fn(&str) -> Option<String>,
) -> BTreeMap<String, String> {
    for (name, default) in MINIMUM {
        if !environment.contains_key(name)
            && let Some(value) = agents(name).or_else(|| default.map(str::to_owned))
        {
            environment.insert(name.to_owned(), value);
        }
    }
    environment
}

/// The first thing that exec(2) cannot take, in words.
pub(crate) fn refusal(command: &[String], environment: &BTreeMap<String, String>) -> Option<String> {
    if command.first().is_none_or(String::is_empty) {
        return Some("expected a command with a program, got none".to_owned());
    }
    if command.iter().any(|part| part.contains('\0')) {
        return Some("expected a command without NUL bytes".to_owned());
    }
    let is_impossible =
        |(name, value): &(&String, &String)| name.is_empty() || name.contains(['=', '\0']) || value.contains('\0');
    let (name, _) = environment.iter().find(is_impossible)?;
    let name: String = name.chars().take(64).collect();
    Some(format!("expected environment variables with a name without \"=\" and no NUL bytes, got one named {name:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_minimum_gives_way_to_what_is_given() {
        let agents = |name: &str| map(&[("HOME", "/home/a"), ("CRESS_KEK", "secret"), ("TZ", "UTC")]).remove(name);
        assert_eq!(
            complete_from(map(&[("PATH", "/opt"), ("A", "b")]), agents),
            map(&[("PATH", "/opt"), ("A", "b"), ("HOME", "/home/a"), ("LANG", "C.UTF-8"), ("TZ", "UTC")])
        );
        assert_eq!(
            complete_from(BTreeMap::new(), |_| None),
            map(&[("PATH", PATH_DEFAULT), ("HOME", "/"), ("LANG", "C.UTF-8")])
        );
    }

    #[test]
    fn what_exec_cannot_take_is_refused() {
        let good = vec!["true".to_owned()];
        assert_eq!(refusal(&good, &map(&[("A", "b=c")])), None);
        assert!(refusal(&[], &map(&[])).is_some());
        assert!(refusal(&[String::new()], &map(&[])).is_some());
        assert!(refusal(&["true".to_owned(), "a\0".to_owned()], &map(&[])).is_some());
        for (name, value) in [("", "a"), ("A=B", "a"), ("A\0", "a"), ("A", "a\0")] {
            assert!(refusal(&good, &map(&[(name, value)])).is_some(), "{name:?}={value:?} was accepted");
        }
    }
}
