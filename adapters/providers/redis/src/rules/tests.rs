// SPDX-License-Identifier: Apache-2.0

use super::*;

fn parse(rules: &[&str]) -> Result<Rules, String> {
    Rules::parse(&rules.iter().map(|&rule| rule.to_owned()).collect::<Vec<_>>())
}

fn subject(group: Option<&str>) -> Subject {
    Subject {
        issuer: "https://issuer.example".parse().unwrap(),
        subject: None,
        organization_id: Some("o-1".to_owned()),
        group_id: group.map(str::to_owned),
        instance_id: Some("i-1".to_owned()),
        machine_id: Some("m-1".to_owned()),
    }
}

fn parameters(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn what_is_safe_is_handed_on_as_it_stands() {
    for rules in [
        &["+get", "~cache:*"][..],
        &["+@read", "+@write", "-@dangerous", "+sort", "~cache:*", "%R~shared:*", "%W~log", "%RW~x?[a-z]", "&events:*"],
        &["+@all", "-@dangerous", "~{tag}:*"],
        &["+@admin", "-@all", "+ping"].as_slice()[1..],
        &["+cluster|slots", "+client|setname", "+json.get", "-get"],
    ] {
        let read = parse(rules).unwrap_or_else(|error| panic!("{rules:?}: {error}"));
        assert_eq!(read.fill(&subject(None), &BTreeMap::new()).unwrap(), rules);
    }
    let words = parse(&["allcommands", "-@dangerous", "allkeys", "allchannels"]).unwrap();
    assert_eq!(words.sample(), ["+@all", "-@dangerous", "~*", "&*"]);
}

#[test]
fn what_lets_in_or_rules_others_is_refused() {
    for (rules, expected) in [
        (&[][..], "1 to 64 rules"),
        (&["~cache:*"], "gives a command"),
        (&["-@all"], "gives a command"),
        (&["on", "+get"], "how it is let in"),
        (&["off", "+get"], "how it is let in"),
        (&["nopass", "+get"], "how it is let in"),
        (&["reset", "+get"], "how it is let in"),
        (&["resetpass", "+get"], "how it is let in"),
        (&[">hunter2", "+get"], "how it is let in"),
        (&["#00", "+get"], "how it is let in"),
        (&["skip-sanitize-payload", "+get"], "how it is let in"),
        (&["(+get ~x)", "+get"], "no selector"),
        (&["+GET"], "lower-case"),
        (&["get"], "expected a rule such as"),
        (&["+"], "expected a rule such as"),
        (&["+@"], "expected a rule such as"),
        (&["+get set"], "expected a rule such as"),
        (&["+get\n+acl"], "expected a rule such as"),
        (&["+get|"], "expected a rule such as"),
        (&["+acl"], "rules the server"),
        (&["+acl|whoami"], "rules the server"),
        (&["+config|get"], "rules the server"),
        (&["+monitor"], "rules the server"),
        (&["+shutdown"], "rules the server"),
        (&["+client"], "one of its subcommands"),
        (&["+client|kill"], "one of its subcommands"),
        (&["+cluster"], "one of its subcommands"),
        (&["+cluster|meet"], "one of its subcommands"),
        (&["+@admin", "-@dangerous"], "makes an administrator"),
        (&["+@dangerous"], "makes an administrator"),
        (&["allcommands"], "expected -@dangerous"),
        (&["+@all", "-@admin"], "expected -@dangerous"),
        (&["+@write"], "expected -@dangerous"),
        (&["-@dangerous", "+@write"], "expected -@dangerous"),
        (&["+get", "~"], "expected a pattern"),
        (&["+get", "~a b"], "expected a pattern"),
        (&["+get", "~a\""], "expected a pattern"),
        (&["+get", "~a\u{0}"], "expected a pattern"),
        (&["+get", "~\u{e9}"], "expected a pattern"),
        (&["+get", "%X~a"], "expected a rule such as"),
        (&["+get", "~${parameters.a"], "expected a }"),
        (&["+get", "~${a}"], "expected ${parameters.<name>}"),
        (&["+get", "~${subject.sub}"], "expected ${parameters.<name>}"),
        (&["+get", "~${parameters.}"], "expected ${parameters.<name>}"),
        (&["+get", "~${parameters.a b}"], "expected a pattern"),
        (&["+get", "~app:${parameters.a}*"], "between separators"),
        (&["+get", "~app:*${parameters.a}"], "between separators"),
        (&["+get", "~app${parameters.a}:*"], "between separators"),
        (&["+get", "~${parameters.a}${parameters.b}"], "between separators"),
        (&["+get", "~${parameters.a}?"], "between separators"),
        (&["+get", "~[:${parameters.a}:]"], "neither brackets"),
        (&["+get", "~\\:${parameters.a}"], "neither brackets"),
    ] {
        let error = parse(rules).unwrap_err();
        assert!(error.contains(expected), "{rules:?}: {error}");
    }
    assert!(parse(&["+get"; 65]).unwrap_err().contains("1 to 64 rules"));
    assert!(parse(&["+get", &format!("~{}", "x".repeat(256))]).unwrap_err().contains("at most 256"));
}

#[test]
fn places_are_filled_from_claims_and_parameters() {
    let rules = parse(&["+get", "~{${subject.group_id}}:${parameters.shard}:*", "&${subject.instance_id}"]).unwrap();
    let filled = rules.fill(&subject(Some("g-1")), &parameters(&[("shard", "7.a_B-c")]));
    assert_eq!(filled.unwrap(), ["+get", "~{g-1}:7.a_B-c:*", "&i-1"]);
    assert_eq!(rules.sample(), ["+get", "~{sample}:sample:*", "&sample"]);
}

#[test]
fn what_a_tenant_chooses_stays_a_text_or_is_refused() {
    let rules = parse(&["+get", "~app:${parameters.shard}:*"]).unwrap();
    let long = "x".repeat(129);
    for bad in [
        "", "*", "a*", "?", "[a]", "a b", "a\tb", "a\n+acl", "\0", "a:b", "a/b", "{a", "a}", "a\"", "'", "\\",
        "\u{e9}", "~*", "&*", "a,b", "a+b", "%", &long,
    ] {
        let error = rules.fill(&subject(None), &parameters(&[("shard", bad)])).unwrap_err();
        assert!(error.contains("expected the parameter shard to be"), "{bad:?}: {error}");
    }
    let by_group = parse(&["+get", "~${subject.group_id}:*"]).unwrap();
    assert!(by_group.fill(&subject(Some("*")), &BTreeMap::new()).unwrap_err().contains("the token's group_id"));
    assert!(by_group.fill(&subject(None), &BTreeMap::new()).unwrap_err().contains("expected the token's group_id"));
}

#[test]
fn a_parameter_too_many_or_too_few_is_refused() {
    let rules = parse(&["+get", "~app:${parameters.shard}:*"]).unwrap();
    let missing = rules.fill(&subject(None), &BTreeMap::new()).unwrap_err();
    assert!(missing.contains("expected the parameter shard"), "{missing}");
    let stray = rules.fill(&subject(None), &parameters(&[("shard", "a"), ("other", "b")])).unwrap_err();
    assert!(stray.contains("no parameter \"other\""), "{stray}");
}

#[test]
fn what_opens_much_is_told() {
    let doubts = parse(&["+@read", "-@dangerous", "+flushdb", "~*", "allchannels"]).unwrap().doubts();
    assert_eq!(doubts.len(), 3, "{doubts:?}");
    assert_eq!(parse(&["+get", "~cache:*"]).unwrap().doubts(), Vec::<String>::new());
}
