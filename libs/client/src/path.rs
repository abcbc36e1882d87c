// SPDX-License-Identifier: Apache-2.0
//! Paths with their parameters filled in.

/// Fills the `{...}` of a path, in their order. Names and ids have no character that a path would have to encode.
pub(crate) fn fill(template: &str, values: &[&dyn std::fmt::Display]) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut values = values.iter();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        if let Some(value) = values.next() {
            filled.push_str(&value.to_string());
        }
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use cress_api::admin::paths;

    use super::*;

    #[test]
    fn paths_are_filled_in_order() {
        assert_eq!(fill(paths::ORGANIZATIONS, &[]), "/v1/organizations");
        assert_eq!(
            fill(paths::REPLICAS, &[&"acme", &"default", &"worker"]),
            "/v1/organizations/acme/projects/default/containers/worker/replicas"
        );
    }
}
