//! The environment, read by this test program started again with another one.

use std::process::Command;

use aws::Aws;
use serde_json::json;

use super::support::{Account, call};

/// Set in the second process: what the test does there.
const SECOND: &str = "AWS_CALLS_SECOND_PROCESS";
const NAME: &str = "environment::credentials_and_region_of_the_environment";

/// The caller's identity or the error, as the second process prints it.
fn identity(variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", NAME, "--nocapture", "--test-threads=1"]).env_clear().env(SECOND, "1");
    command
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("HOME", "/nonexistent")
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().find_map(|line| line.split_once("identity: ")).map(|(_, rest)| rest.to_owned()).unwrap_or(text)
}

#[tokio::test]
async fn credentials_and_region_of_the_environment() {
    if std::env::var_os(SECOND).is_some() {
        let aws = Aws::from_environment().await;
        match aws.call(call("sts", "getCallerIdentity", json!({}))).await {
            Ok(identity) => println!("identity: {} {}", identity["Account"].as_str().unwrap(), aws.region()),
            Err(error) => println!("identity: {error}"),
        }
        return;
    }
    let Some(account) = Account::start() else { return };
    let url = account.options().endpoint_url.unwrap();
    let endpoint = ("AWS_ENDPOINT_URL_STS", url.as_str());
    let keys = [("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE000000000"), ("AWS_SECRET_ACCESS_KEY", "very-secret")];
    assert_eq!(identity(&[endpoint, keys[0], keys[1], ("AWS_REGION", "eu-west-1")]), "123456789012 eu-west-1");

    let folder = tempfile::tempdir().unwrap();
    let (credentials, config) = (folder.path().join("credentials"), folder.path().join("config"));
    std::fs::write(&credentials, "[rectify]\naws_access_key_id = AKIDEXAMPLE000000000\naws_secret_access_key = s\n")
        .unwrap();
    std::fs::write(&config, "[profile rectify]\nregion = eu-north-1\n").unwrap();
    let files =
        [("AWS_SHARED_CREDENTIALS_FILE", credentials.to_str().unwrap()), ("AWS_CONFIG_FILE", config.to_str().unwrap())];
    assert_eq!(identity(&[endpoint, files[0], files[1], ("AWS_PROFILE", "rectify")]), "123456789012 eu-north-1");

    // The services' section of the profile, its own endpoint, and a variable over both.
    let url = endpoint.1;
    for (profile, variables) in [
        (
            format!(
                "endpoint_url = http://127.0.0.1:9\nservices = here\n[services here]\nsts =\n  endpoint_url = {url}\n"
            ),
            vec![],
        ),
        (format!("endpoint_url = {url}\n"), vec![]),
        ("endpoint_url = http://127.0.0.1:9\n".to_owned(), vec![("AWS_ENDPOINT_URL", url)]),
    ] {
        std::fs::write(&config, format!("[profile rectify]\nregion = eu-north-1\n{profile}")).unwrap();
        let variables = [files.as_slice(), &[("AWS_PROFILE", "rectify")], &variables].concat();
        assert_eq!(identity(&variables), "123456789012 eu-north-1", "{profile}");
    }

    let none = identity(&[endpoint, ("AWS_REGION", "eu-west-1")]);
    assert!(none.starts_with("Sts.SdkClientException: no AWS credentials: looked at the environment"), "{none}");
    println!("{none}");
    assert!(none.contains("AWS_PROFILE after `aws configure`"), "{none}");
}
