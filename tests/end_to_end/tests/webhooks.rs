//! Documents of other engines by their webhooks, and a mapping that is mended.
#![expect(clippy::unwrap_used, reason = "test support: what can't be set up fails the test")]

use std::{fs, path::Path};

use end_to_end::Serve;
use serde_json::{Value, json};

const TOKEN: &str = "a-token-of-32-characters-or-so-00";

fn configuration(folder: &Path, source: &str) -> String {
    fs::create_dir_all(folder.join("sources")).unwrap();
    fs::write(folder.join("secret"), format!("{TOKEN}\n")).unwrap();
    format!(
        "account: \"123456789012\"\nsources_folder: {}\nsources:\n  - webhook: {{source: {source}, secret: {{file: {}}}}}\n",
        folder.join("sources").display(),
        folder.join("secret").display()
    )
}

/// A source whose mapping is wrong until it is mended.
fn write_source(folder: &Path, time: &str) {
    let text = format!(
        "id: shop\ntitle: Shop\nevent:\n  source: shop\n  detail-type: Alarm\n  time: \"{{% {time} %}}\"\nwebhook: {{token: {{header: x-token}}}}\n"
    );
    fs::write(folder.join("sources/shop.yaml"), text).unwrap();
}

#[test]
fn only_who_has_the_secret_gets_in() {
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::start(&configuration(folder.path(), "okta"), "http://127.0.0.1:9");
    let hook = json!({"eventType": "com.okta.event_hook", "data": {"events": [
        {"uuid": "u1", "eventType": "user.session.start", "published": "2026-01-01T00:00:00Z"},
        {"uuid": "u2", "eventType": "user.session.end", "published": "2026-01-01T00:00:01Z"},
    ]}})
    .to_string();
    let ask = |method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>| {
        serve.ask_with(method, path, body.map(str::as_bytes), headers).unwrap()
    };
    let post = |path: &str, headers: &[(&str, &str)]| ask("POST", path, headers, Some(&hook));
    assert_eq!(post("/webhooks/okta", &[]).status, 401);
    assert_eq!(post("/webhooks/okta", &[("authorization", "wrong")]).status, 401);
    assert_eq!(post("/webhooks/falco", &[("authorization", TOKEN)]).status, 404);
    let answer = post("/webhooks/okta", &[("authorization", TOKEN)]);
    assert_eq!((answer.status, &answer.body["received"]), (200, &json!(2)), "{answer:?}");
    let answer = post("/webhooks/okta", &[("authorization", TOKEN)]);
    assert_eq!((answer.status, &answer.body["duplicates"]), (200, &json!(2)), "{answer:?}");

    let challenge = ("x-okta-verification-challenge", "c-1");
    let answer = ask("GET", "/webhooks/okta", &[("authorization", TOKEN), challenge], None);
    assert_eq!((answer.status, answer.body), (200, json!({"verification": "c-1"})));
    assert_eq!(ask("GET", "/webhooks/okta", &[challenge], None).status, 401);
}

#[test]
fn what_could_not_be_read_is_read_once_its_mapping_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let configuration = configuration(folder.path(), "shop");
    write_source(folder.path(), "$document.when");
    let mut serve = Serve::start(&configuration, "http://127.0.0.1:9");
    let alarm = json!({"when": "noon", "at": "2026-01-01T12:00:00Z"}).to_string();
    let answer = serve.ask_with("POST", "/webhooks/shop", Some(alarm.as_bytes()), &[("x-token", TOKEN)]).unwrap();
    assert_eq!((answer.status, &answer.body["received"]), (200, &json!(0)), "{answer:?}");
    let kept = &answer.body["unreadable"][0];
    let reason = kept["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("the source `shop` can't make an event of this: `event.time`, line 6 of its file:"),
        "{reason}"
    );
    let id = kept["id"].as_str().unwrap().to_owned();
    let (status, output) = serve.command(&["events", "retry", &id]);
    assert_eq!(status, 1, "{output}");

    write_source(folder.path(), "$document.at");
    serve.restart(&[]);
    serve.wait_until_ready();
    let (status, output) = serve.command(&["events", "retry", &id]);
    assert_eq!(status, 0, "{output}");
    assert!(output.contains("\"received\":1"), "{output}");
    let left = serve.ask("GET", "/api/events", None).unwrap().body;
    assert_eq!(left.get("events").and_then(Value::as_array).map(Vec::len), Some(0));
}
