//! Random calls: our requests against those of botocore's serializers, our reading of answers and errors against its parsers'.
//!
//! A sample by default; `RECTIFY_DIFFERENTIAL=all` takes every operation of every service.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::{Answer, base64, from_base64, read_error, request, result};
use crate::model::{self, Service};
use crate::parameters::bind;

/// The release that the models come from.
const BOTOCORE: &str = "1.44.5";
const SAMPLE: &[&str] = &[
    "cloudfront",
    "cloudtrail",
    "cloudwatch",
    "cloudwatchlogs",
    "config",
    "dynamodb",
    "ec2",
    "iam",
    "lambda",
    "rds",
    "route53",
    "s3",
    "s3control",
    "securityhub",
    "sfn",
    "sns",
    "sqs",
    "ssm",
    "sts",
];

const CBOR: &str = "smithy-rpc-v2-cbor";

/// Answers that can't be compared.
const UNCOMPARED: &[(&str, &str)] = &[
    ("s3:GetBucketNotification", "two members share an element's name: S3 answers with the newer one"),
    (
        "dataexchange:SendApiAsset",
        "all headers of the answer are the member: botocore keeps their capitals, hyper does not",
    ),
];

pub(crate) fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential.py")
}

/// The folder that holds the pinned botocore: where the xtask put it, or where it is installed. What is missing is printed.
pub(crate) fn botocore() -> Option<String> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"));
    let fetched = target.join("botocore").join(BOTOCORE);
    let program = format!(
        "import sys\nsys.path.insert(0, {fetched:?})\nimport botocore, os\n\
         if botocore.__version__ == {BOTOCORE:?}: print(os.path.dirname(os.path.dirname(botocore.__file__)), end='')"
    );
    let found = Command::new(python()).args(["-c", &program]).stderr(Stdio::null()).output().ok();
    let folder = found.and_then(|found| String::from_utf8(found.stdout).ok()).filter(|folder| !folder.is_empty());
    if folder.is_none() {
        println!(
            "skipped: no botocore {BOTOCORE} with that Python: `cargo run -p xtask -- distil` fetches it, or pip install it"
        );
    }
    folder
}

/// The Python of `make test`, or the machine's.
pub(crate) fn python() -> String {
    std::env::var("RECTIFY_PYTHON").ok().filter(|python| !python.is_empty()).unwrap_or_else(|| "python3".to_owned())
}

/// The services to compare; none named is all.
pub(crate) fn services() -> &'static [&'static str] {
    if std::env::var("RECTIFY_DIFFERENTIAL").is_ok_and(|value| value == "all") { &[] } else { SAMPLE }
}

#[test]
fn as_botocore_has_it() {
    let Some(folder) = botocore() else { return };
    let services = services();
    let most = if services.is_empty() { "100000" } else { "25" };
    let made = Command::new(python()).arg(script()).args(["make", &folder, "1", most]).args(services).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let lines: Vec<Value> =
        made.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();

    let mut requests = String::new();
    let (mut answers, mut faithful, mut wrong) = (0, 0, Vec::new());
    let mut services: HashMap<(&str, &str), Service> = HashMap::new();
    for line in &lines {
        let (name, protocol) = (line["service"].as_str().unwrap(), line["protocol"].as_str().unwrap());
        let service = services.entry((name, protocol)).or_insert_with(|| model::speaking(name, protocol));
        let id = format!("{}:{} {protocol}", line["service"], line["operation"]).replace('"', "");
        match ours(service, line) {
            Ok(ours) => {
                requests.push_str(&format!("{}\n", json!({"id": id, "theirs": theirs(service, line), "ours": ours})))
            }
            Err(error) => wrong.push(format!("{id}: {error}")),
        }
        if line.get("answer").is_some() && UNCOMPARED.iter().all(|(name, _)| !id.starts_with(&format!("{name} "))) {
            answers += 1;
            faithful += usize::from(line["faithful"] == true);
            wrong.extend(read(service, line).map(|difference| format!("{id}: {difference}")));
        }
        wrong.extend(failure(service, line).map(|difference| format!("{id}: {difference}")));
    }
    let differing = compare(&folder, &requests);
    wrong.extend(differing.lines().map(str::to_owned));
    let without = |why: &str| lines.iter().filter(|line| line.get(why).is_some()).count();
    println!(
        "{} requests, {answers} answers ({faithful} hold all that was to be in them), {} errors; {} differ. moto could not write {} more \
         answers, and wrote {} that botocore can't read",
        lines.len(),
        lines.len(),
        wrong.len(),
        without("unwritten"),
        without("unreadable"),
    );
    wrong.iter().for_each(|each| println!("{each}"));
    assert!(lines.len() > 300, "only {} calls were made up", lines.len());
    assert!(wrong.is_empty(), "{} differ", wrong.len());
}

fn compare(folder: &str, lines: &str) -> String {
    let mut child = Command::new(python())
        .arg(script())
        .args(["compare", folder])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let text = lines.to_owned();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

fn ours(service: &Service, line: &Value) -> Result<Value, String> {
    let name = line["operation"].as_str().unwrap();
    let operation = &service.operations[name];
    let bound = bind(service.node(operation.input.as_ref()), &line["parameters"], "token")
        .map_err(|problems| crate::parameters::told(&problems))?;
    let made = request(service, name, operation, &bound)?;
    let headers: serde_json::Map<String, Value> =
        made.headers.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
    Ok(json!({
        "method": made.method,
        "path": made.path,
        "query": made.query,
        "headers": headers,
        "body": if service.metadata.protocol == CBOR { base64(made.body) } else { String::from_utf8(made.body).unwrap() },
        "protocol": service.metadata.protocol,
    }))
}

/// Where endpoint rules place the bucket, botocore's path still has it.
fn theirs(service: &Service, line: &Value) -> Value {
    let mut theirs = line["request"].clone();
    let template = &service.operations[line["operation"].as_str().unwrap()].http.request_uri;
    if service.is_s3() && template.starts_with("/{Bucket}") {
        let path = theirs["path"].as_str().unwrap();
        let rest = path[1..].find('/').map_or("/", |at| &path[at + 1..]);
        theirs["path"] = Value::from(rest);
    }
    theirs
}

/// Status, headers and body of an answer.
fn carried(answer: &Value) -> (u16, HeaderMap, Vec<u8>) {
    let mut headers = HeaderMap::new();
    for (name, value) in answer["headers"].as_object().unwrap() {
        let value = HeaderValue::from_bytes(value.as_str().unwrap().as_bytes()).unwrap();
        headers.insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
    }
    let status = u16::try_from(answer["status"].as_u64().unwrap()).unwrap();
    (status, headers, from_base64(answer["body"].as_str().unwrap()).unwrap())
}

fn read(service: &Service, line: &Value) -> Option<String> {
    let operation = &service.operations[line["operation"].as_str().unwrap()];
    let (status, headers, body) = carried(&line["answer"]);
    let answer = Answer { status, headers: &headers, body: &body };
    match result(service, operation, &answer) {
        Ok(found) if found == line["result"] => None,
        Ok(found) => Some(format!("read {found}, not {}, of {}", line["result"], answer.text())),
        Err(error) => Some(format!("{error}, of {}", answer.text())),
    }
}

fn failure(service: &Service, line: &Value) -> Option<String> {
    let operation = &service.operations[line["operation"].as_str().unwrap()];
    let (status, headers, body) = carried(&line["failure"]);
    let answer = Answer { status, headers: &headers, body: &body };
    let Some(error) = read_error(service, operation, &answer) else {
        return Some(format!("no error was seen in {}", answer.text()));
    };
    let text = |text: Option<String>| text.unwrap_or_default();
    let found = json!({
        "code": error.code,
        "message": text(error.message),
        "request": text(error.request_id),
        "host": text(error.extended_request_id),
    });
    (found != line["error"]).then(|| format!("read the error {found}, not {}, of {}", line["error"], answer.text()))
}
