use asl::{Document, Format, parse::AnyResource};
use serde_json::{Value, json};

use super::*;
use crate::Event;

const GUARDRAILS: [(&str, &str); 2] = [
    ("s3-bucket-public-access", include_str!("../../../../guardrails/s3/s3-bucket-public-access.yaml")),
    ("security-group-open-to-world", include_str!("../../../../guardrails/ec2/security-group-open-to-world.yaml")),
];

fn parsed(text: &str) -> Result<Guardrail, String> {
    let shown = |problems: Vec<asl::Diagnostic>| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        lines.join("\n")
    };
    let document = Document::parse(text, Format::Yaml).map_err(shown)?;
    match Guardrail::parse(&document, &AnyResource) {
        Ok((guardrail, warnings)) if warnings.is_empty() => Ok(guardrail),
        Ok((_, problems)) | Err(problems) => Err(shown(problems)),
    }
}

fn s3_with(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(GUARDRAILS[0].1.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    })
}

#[test]
fn the_guardrails_are_what_they_are_called_and_have_tests() {
    for (name, text) in GUARDRAILS {
        let guardrail = parsed(text).unwrap_or_else(|problems| panic!("{name}:\n{problems}"));
        assert_eq!(guardrail.id, name);
        assert!(guardrail.tests.len() >= 4);
        for test in &guardrail.tests {
            assert!(
                guardrail.pattern.matches(&test.event),
                "{name}: the pattern does not match the event of `{}`",
                test.name
            );
        }
    }
}

#[test]
fn two_mistakes_are_both_told() {
    let text = s3_with(&[
        ("severity: HIGH", "severity: HEIGHT\nseverty: HIGH"),
        ("errorCode: [{exists: false}]", "errorCode: [{exits: false}]"),
        ("Next: Bucket flags", "Next: Bucket flag"),
        ("reading: policy,", "before: {},"),
        ("requestParameters.bucketName %}", "requestParameters.bucketName( %}"),
        ("expect: NON_COMPLIANT", "expects: NON_COMPLIANT"),
    ]);
    insta::assert_snapshot!(parsed(&text).unwrap_err());
}

#[test]
fn what_is_missing_or_of_another_kind_is_told() {
    let long = format!("Verdict{}", "!".repeat(60));
    for (text, expected) in [
        ("[]", "the guardrail has to be an object"),
        ("id: x", "the key `title` is missing in the guardrail"),
        (&s3_with(&[("id: s3-bucket-public-access", "id: S3 bucket")]), "lower-case letters, digits and `-`"),
        (&s3_with(&[("title: S3 bucket is open to the public", "title: 3")]), "`title` has to be a text"),
        (
            &s3_with(&[("parameters: {}", "parameters: {a: {default: 1, descripton: x}}")]),
            "did you mean `description`?",
        ),
        (&s3_with(&[("type: AWS::S3::Bucket", "type: bucket")]), "`bucket` is no CloudFormation type"),
        (
            &s3_with(&[("    Verdict:", &format!("    {long}:")), ("Next: Verdict", &format!("Next: {long}"))]),
            "has more than 65 characters",
        ),
        (
            &s3_with(&[("Reason: the bucket is gone", "Reason: \"{% $event.id %}\"")]),
            "`$event` is seen by `resource.id` alone",
        ),
        (&s3_with(&[("expect: COMPLIANT", "parameters: {ports: 1}")]), "the guardrail has no parameter `ports`"),
        (
            &s3_with(&[(
                "  - name: a policy for everybody is shut off, and stays",
                "  - name: a public-read ACL is shut off, and the bucket had no flags",
            )]),
            "there are two tests named",
        ),
    ] {
        let problems = parsed(text).unwrap_err();
        assert!(problems.contains(expected), "{expected}: {problems}");
    }
}

#[test]
fn compiled_machines_are_asl() {
    for (name, text) in GUARDRAILS {
        let guardrail = parsed(text).unwrap();
        for role_arn_expression in [None, Some("'arn:aws:iam::' & $resource.Account & ':role/rectify'".to_owned())] {
            let options = CompileOptions { parameters: Map::new(), role_arn_expression };
            let machine = guardrail.compile(&options);
            let with_functions =
                machine.to_string().replace("${function.", "rectify-").replace("}\",\"Payload", "\",\"Payload");
            let document = Document::parse(&with_functions, Format::Json).unwrap();
            if let Err(problems) = asl::parse::parse(&document, &AnyResource) {
                panic!("{name}: {problems:#?}");
            }
            assert!(machine.to_string().len() < 1_000_000, "Step Functions takes no longer definition");
        }
    }
}

/// Every state and where it may go on, one a line.
fn transitions(flow: &Value, indent: &str) -> String {
    let mut lines = String::new();
    for (name, state) in flow["States"].as_object().unwrap() {
        let mut targets: Vec<String> = Vec::new();
        for choice in state["Choices"].as_array().into_iter().flatten() {
            targets.push(choice["Next"].as_str().unwrap().to_owned());
        }
        targets.extend(["Default", "Next"].iter().filter_map(|field| state[*field].as_str()).map(str::to_owned));
        for catcher in state["Catch"].as_array().into_iter().flatten() {
            targets.push(format!(
                "{} on {}",
                catcher["Next"].as_str().unwrap(),
                catcher["ErrorEquals"][0].as_str().unwrap()
            ));
        }
        lines.push_str(&format!("{indent}{name} ({}) → {}\n", state["Type"].as_str().unwrap(), targets.join(" | ")));
        for (_, inner) in compile::nested_flows(state) {
            lines.push_str(&transitions(inner, &format!("{indent}    ")));
        }
    }
    lines
}

#[test]
fn states_and_transitions() {
    for (name, text) in GUARDRAILS {
        insta::assert_snapshot!(name, transitions(&parsed(text).unwrap().compile(&CompileOptions::default()), ""));
    }
}

#[test]
fn what_a_machine_is_made_of() {
    let guardrail = parsed(GUARDRAILS[1].1).unwrap();
    let options = CompileOptions {
        parameters: json!({"allowed_ports": [22]}).as_object().unwrap().clone(),
        role_arn_expression: Some("'arn'".to_owned()),
    };
    let machine = guardrail.compile(&options);
    let states = &machine["States"];
    assert_eq!(states["Begin"]["Assign"]["parameters"], json!({"allowed_ports": [22]}));
    let inner =
        &states["Undo"]["Branches"][0]["States"]["Undo: Each rule"]["ItemProcessor"]["States"]["Undo: Authorize"];
    assert_eq!(inner["Credentials"], json!({"RoleArn": "{% 'arn' %}"}));
    assert_eq!(inner["Retry"][0]["ErrorEquals"][0], "Ec2.ThrottlingException");
    assert!(states["Close"].get("Credentials").is_none());
    assert_eq!(states["Owner"]["Arguments"]["Payload"]["RoleArn"], "{% 'arn' %}");
    assert_eq!(states["Close"]["Arguments"]["FunctionName"], "${function.finding}");
    assert_eq!(states["Close"]["Arguments"]["Payload"]["Round"], "{% $round %}");
    assert_eq!(states["Ask"]["Resource"], "arn:aws:states:::lambda:invoke.waitForTaskToken");
    // All that is told, recorded or asked goes to a built-in function, and every way leads to an end.
    for (name, state) in states.as_object().unwrap() {
        if state["Type"] == "Task" {
            assert!(state["Catch"].is_array(), "{name} catches nothing");
        }
        for field in ["Assign"] {
            for variable in state[field].as_object().into_iter().flat_map(|object| object.keys()) {
                assert!(RESERVED_VARIABLES.contains(&variable.as_str()), "{name} assigns ${variable}");
            }
        }
    }
}

fn check_sightings(guardrail: &Guardrail, detail: Value, expected: &[&str]) {
    let event = Event {
        id: "1".to_owned(),
        source: "aws.x".to_owned(),
        detail_type: "AWS API Call via CloudTrail".to_owned(),
        account: "111122223333".to_owned(),
        region: "eu-west-1".to_owned(),
        time: "2026-01-31T12:00:00Z".parse().unwrap(),
        resources: Vec::new(),
        detail,
    };
    let sightings = guardrail.sightings(&event).unwrap();
    let ids: Vec<&str> = sightings.iter().map(|sighting| sighting.resource.as_str()).collect();
    assert_eq!(ids, expected, "{}", event.detail);
    for sighting in sightings {
        assert_eq!((sighting.guardrail, sighting.event_id), (guardrail.id.clone(), event.identity().to_owned()));
    }
}

#[test]
fn events_name_resources() {
    let [bucket, group] = GUARDRAILS.map(|(_, text)| parsed(text).unwrap());
    check_sightings(&bucket, json!({"requestParameters": {"bucketName": "b"}, "eventID": "e"}), &["b"]);
    for nothing in [
        json!({}),
        json!({"requestParameters": null}),
        json!({"requestParameters": {"bucketName": null}}),
        json!({"requestParameters": {"bucketName": ""}}),
    ] {
        check_sightings(&bucket, nothing, &[]);
    }
    let items = |ids: &[&str]| {
        let items: Vec<Value> = ids.iter().map(|id| json!({"groupId": id, "securityGroupRuleId": "sgr-1"})).collect();
        json!({"_return": true, "securityGroupRuleSet": {"items": items}})
    };
    for (request, response, expected) in [
        (json!({"groupId": "sg-1"}), Value::Null, vec!["sg-1"]),
        (json!({"groupId": "sg-1"}), items(&["sg-1", "sg-1"]), vec!["sg-1"]),
        (json!({"groupName": "web", "groupId": null}), items(&["sg-2"]), vec!["sg-2"]),
        (json!({"groupName": "web"}), json!({"_return": true, "groupId": "sg-3"}), vec!["sg-3"]),
        (
            json!({"ModifySecurityGroupRulesRequest": {"GroupId": "sg-4", "SecurityGroupRule": {"tag": 1}}}),
            json!({"ModifySecurityGroupRulesResponse": {"return": true}}),
            vec!["sg-4"],
        ),
        (json!({"groupName": "web"}), Value::Null, vec![]),
    ] {
        check_sightings(&group, json!({"requestParameters": request, "responseElements": response}), &expected);
    }
}

#[test]
fn an_id_is_a_text() {
    let guardrail = parsed(&s3_with(&[("requestParameters.bucketName %}", "n %}")])).unwrap();
    check_sightings(&guardrail, json!({"n": ["a", null, "b", "a"]}), &["a", "b"]);
    let event = Event {
        id: "1".to_owned(),
        source: "s".to_owned(),
        detail_type: "t".to_owned(),
        account: "1".to_owned(),
        region: "r".to_owned(),
        time: "2026-01-31T12:00:00Z".parse().unwrap(),
        resources: Vec::new(),
        detail: json!({"n": ["a", 7]}),
    };
    assert!(guardrail.sightings(&event).unwrap_err().message.contains("Expected 'string', but was: 7"));
}
