// SPDX-License-Identifier: Apache-2.0
//! Flags, settings and their errors.

use cress_tests::cress;

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let output = cress(arguments).envs(variables.iter().copied()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn help_has_examples() {
    for command in [
        vec!["--help"],
        vec!["up", "--help"],
        vec!["control", "--help"],
        vec!["node", "--help"],
        vec!["admin", "--help"],
        vec!["token", "verify", "--help"],
        vec!["jwks", "sync", "--help"],
    ] {
        let (code, help, _) = run(&command, &[]);
        assert_eq!(code, Some(0));
        assert!(help.contains("Examples:\n  "), "{help}");
    }
}

#[test]
fn wrong_usage_exits_with_2() {
    for command in
        [vec![], vec!["nonsense"], vec!["up", "--base-port", "x"], vec!["admin", "organizations", "create", "A"]]
    {
        let (code, _, errors) = run(&command, &[]);
        assert_eq!(code, Some(2), "{command:?}: {errors}");
    }
}

#[test]
fn a_schema_describes_each_setting() {
    for (role, key) in [("control", "kid_prefix"), ("node", "capacity")] {
        let (code, schema, _) = run(&["config", "schema", role], &[]);
        assert_eq!(code, Some(0));
        let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
        assert!(schema["properties"][key]["description"].is_string(), "{schema}");
    }
}

#[test]
fn a_file_is_overridden_by_variables_and_these_by_flags() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("control.toml");
    std::fs::write(&file, "data_dir = \"/tmp/unused\"\nlisten = \"127.0.0.1:1\"\n").unwrap();
    let file = file.display().to_string();
    let check = ["config", "check", "control", "--config", &file];
    let (code, said, errors) = run(&check, &[]);
    assert_eq!((code, said.trim()), (Some(0), "the configuration is good"), "{errors}");
    let (code, _, errors) = run(&check, &[("CRESS_CONTROL_LISTEN", "nonsense")]);
    assert_eq!(code, Some(1));
    assert!(errors.contains("CRESS_CONTROL_LISTEN"), "{errors}");
    let (code, _, errors) = run(&check, &[("CRESS_CONTROL_LISTEN", "0.0.0.0:8420")]);
    assert_eq!(code, Some(1));
    assert!(errors.contains("listen") || errors.contains("public_url"), "{errors}");
    // A flag wins over the variable, which alone would be refused.
    let (code, _, errors) = run(
        &["control", "--config", &file, "--listen", "0.0.0.0:1"],
        &[("CRESS_CONTROL_LISTEN", "127.0.0.1:1"), ("CRESS_CONTROL_PUBLIC_URL", "http://control.example")],
    );
    assert_eq!(code, Some(1));
    assert!(errors.contains("0.0.0.0"), "{errors}");
}

#[test]
fn an_unknown_key_suggests_the_nearest() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("node.toml");
    std::fs::write(&file, "data_dir = \"x\"\ncapacityy = 3\n[control]\nurl = \"https://c.example:8421\"\n").unwrap();
    let (code, _, errors) = run(&["config", "check", "node", "--config", &file.display().to_string()], &[]);
    assert_eq!(code, Some(1));
    assert!(errors.contains("`capacityy`") && errors.contains("did you mean `capacity`?"), "{errors}");
    let (_, _, errors) = run(&["config", "check", "control"], &[("CRESS_CONTROL_LISTN", "x")]);
    assert!(errors.contains("CRESS_CONTROL_LISTN") && errors.contains("CRESS_CONTROL_LISTEN"), "{errors}");
}

#[test]
fn a_node_asks_for_consent_to_run_without_isolation() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().display().to_string();
    let arguments = ["node", "--data-dir", &data_dir, "--control", "https://127.0.0.1:1"];
    let (code, _, errors) = run(&arguments, &[]);
    assert_eq!(code, Some(1));
    assert!(errors.contains("--process-driver-without-isolation"), "{errors}");
}
