use std::path::Path;

use asl::{Document, Format};
use aws::Options;

use super::*;
use crate::{KnownResources, tests::moto::Moto};

fn guardrail(text: &str) -> Guardrail {
    let document = Document::parse(text, Format::Yaml).unwrap();
    let resources = KnownResources::new(Aws::new(Options::fixed("eu-west-1", "AKIDEXAMPLE", "secret")));
    Guardrail::parse(&document, &resources).unwrap().0
}

/// The text of a guardrail that is carried.
fn carried(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guardrails");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

const BUCKET: &str = "s3/s3-bucket-public-access.yaml";
const GROUP: &str = "ec2/security-group-open-to-world.yaml";

#[tokio::test]
async fn an_account_that_may_be_real_is_refused() {
    let options = |general: Option<&str>, own: Option<&str>| Options {
        endpoint_url: general.map(str::to_owned),
        endpoint_urls: own.map(|url| ("S3".to_owned(), url.to_owned())).into_iter().collect(),
        ..Options::fixed("eu-west-1", "AKIDEXAMPLE", "secret")
    };
    for (general, own, expected) in [
        (None, None, "calls would go to AWS"),
        (None, Some("http://127.0.0.1:1"), "calls would go to AWS"),
        (Some("https://sts.amazonaws.com"), None, "calls would go to `https://sts.amazonaws.com`"),
        (Some("http://127.0.0.1.example.com"), None, "calls would go to `http://127.0.0.1.example.com`"),
        (Some("http://127.0.0.1@example.com"), None, "calls would go to `http://127.0.0.1@example.com`"),
        (Some("http://127.0.0.1:1"), Some("https://s3.amazonaws.com"), "calls would go to `https://s3.amazonaws.com`"),
        (Some("http://127.0.0.1:1"), Some("http://localhost:1"), "the emulated account does not answer"),
    ] {
        let error = EmulatedAccount::new(options(general, own)).await.err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guardrails_that_are_carried_do_what_they_say() {
    let Some(moto) = Moto::start() else { return };
    let account = EmulatedAccount::new(moto.options()).await.unwrap();
    // A run that was interrupted before every cleanup, and two whole ones, all in one account.
    for (name, interrupted) in
        [(BUCKET, true), (GROUP, true), (BUCKET, false), (GROUP, false), (BUCKET, false), (GROUP, false)]
    {
        let mut guardrail = guardrail(&carried(name));
        if interrupted {
            guardrail.tests.iter_mut().for_each(|test| test.cleanup.clear());
            // The account's flags are left on by the last test that runs.
            let flags = guardrail.tests.iter().position(|test| test.name.starts_with("the account's flags"));
            guardrail.tests.truncate(flags.map_or(usize::MAX, |flags| flags + 1));
        }
        let left = what_is_left(&account).await;
        let outcomes = run(&guardrail, &account).await;
        assert_eq!(what_is_left(&account).await == left, !interrupted, "{name}: cleaned up");
        assert!(!outcomes.is_empty(), "{name} has no tests");
        let failed: Vec<String> = outcomes
            .iter()
            .filter_map(|outcome| Some(format!("{}: {}", outcome.name, outcome.failure.as_ref()?)))
            .collect();
        assert!(failed.is_empty(), "{name}, {} of {} tests:\n{}", failed.len(), outcomes.len(), failed.join("\n"));
    }
}

async fn what_is_left(account: &EmulatedAccount) -> Vec<Value> {
    let mut left = Vec::new();
    for (service, action, select) in
        [("s3", "listBuckets", "Buckets"), ("ec2", "describeSecurityGroups", "SecurityGroups")]
    {
        let answer = call(&account.aws, &account.region, service, action, json!({})).await.unwrap();
        left.push(answer[select].clone());
    }
    left
}

/// The bucket guardrail with its first test alone, one text of it replaced, fails in that step.
async fn check(account: &EmulatedAccount, from: &str, to: &str, step: &str, why: &str) {
    let text = carried(BUCKET);
    assert!(text.contains(from), "{from}");
    let mut guardrail = guardrail(&text.replacen(from, to, 1));
    guardrail.tests.truncate(1);
    let outcomes = run(&guardrail, account).await;
    let failure = outcomes[0].failure.as_ref().unwrap_or_else(|| panic!("{to}: it passed"));
    assert_eq!(failure.step, step, "{failure}");
    assert!(failure.why.contains(why), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guardrail_that_does_not_do_what_it_says_is_found_out() {
    let Some(moto) = Moto::start() else { return };
    let account = EmulatedAccount::new(moto.options()).await.unwrap();
    for (from, to, step, why) in [
        ("    expect: NON_COMPLIANT", "    expect: COMPLIANT", "inspect", "says NON_COMPLIANT"),
        ("eventName: PutBucketAcl", "eventName: PutObject", "event", "pattern does not match"),
        ("Acl: public-read}", "Acl: no-such-acl}", "arrange", "s3:putBucketAcl"),
        ("IgnorePublicAcls: true\n", "IgnorePublicAcls: false\n", "inspect after the fix", "says NON_COMPLIANT"),
        (
            "RestrictPublicBuckets: true\n",
            "RestrictPublicBuckets: false\n",
            "s3:getPublicAccessBlock after the fix",
            "\"RestrictPublicBuckets\":false",
        ),
        (
            "        Bucket: \"{% $resource.Id %}\"\n",
            "        Bucket: rectify-nowhere\n",
            "fix",
            "S3.NoSuchBucketException",
        ),
        ("aws-sdk:s3:deletePublicAccessBlock", "aws-sdk:s3:getPublicAccessBlock", "undo", "it should be [\"none\""),
    ] {
        check(&account, from, to, step, why).await;
    }
}

#[test]
fn ids_that_aws_gives_are_no_difference() {
    let was =
        json!({"Rules": [{"Id": "sgr-0123456789abcdef0", "P": 22}, {"Id": "sgr-12345678", "P": 23}], "G": "sg-name"});
    let is =
        json!({"Rules": [{"Id": "sgr-aaaaaaaa", "P": 23}, {"Id": "sgr-bbbbbbbbbbbbbbbbb", "P": 22}], "G": "sg-name"});
    assert_eq!(without_new_ids(&was), without_new_ids(&is));
    assert_ne!(without_new_ids(&json!("sg-name")), without_new_ids(&json!("sg-other")));
    assert_ne!(without_new_ids(&json!([{"P": 22}])), without_new_ids(&json!([{"P": 23}])));
}
