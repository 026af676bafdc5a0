//! `rectify backtest` over gzipped CloudTrail, beside what reading, inflating and parsing the same files alone takes.
//!
//! 4,000 files of 8 events and 40 files of 800, made from a seed. The binary (`target/release/rectify` beside this benchmark, or the one
//! named by the first argument) runs as a child process; how long it takes to do nothing is measured too, and told apart.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a benchmark prints, and ends when it fails"
)]

use std::{
    fs::{self, File},
    hint::black_box,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use serde_json::{Value, json};

/// How often each is measured; the quickest run counts, since others may work beside it.
const RUNS: usize = 7;
const EVENTS: usize = 32_000;

fn main() {
    let named = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let binary = named
        .map_or_else(|| std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("rectify"), PathBuf::from);
    assert!(binary.exists(), "{} is not built: cargo build --release -p rectify", binary.display());
    let folder = tempfile::tempdir().unwrap();
    let rules = sigma(folder.path());
    let idle = folder.path().join("idle");
    fs::create_dir(&idle).unwrap();
    let cores = thread::available_parallelism().unwrap().get();
    for per_file in [8, 800] {
        let logs = folder.path().join(format!("{per_file}"));
        let (bytes, stored) = write_logs(&logs, per_file);
        println!(
            "\n{} files of {per_file} events: {:.1} MB of JSON, {:.1} MB as stored, {} bytes an event",
            EVENTS / per_file,
            bytes as f64 / 1e6,
            stored as f64 / 1e6,
            bytes / EVENTS
        );
        let mut thread_counts = vec![1, cores];
        thread_counts.dedup();
        for threads in thread_counts {
            println!("  {threads} thread(s)");
            let floors: Vec<(&str, Duration)> = floors(&logs, threads);
            for (name, took) in &floors {
                println!("    {name:<58} {:>7.0} MB/s", rate(bytes, *took));
            }
            for (name, rules) in [("built-in guardrails", None), ("and 57 Sigma rules", rules.as_deref())] {
                if name.starts_with("and") && rules.is_none() {
                    println!("    and 57 Sigma rules: skipped, RECTIFY_CORPUS is not set");
                    continue;
                }
                let start = best(|| backtest(&binary, &idle, rules, threads));
                let whole = best(|| backtest(&binary, &logs, rules, threads));
                let took = whole.saturating_sub(start);
                let ratios: Vec<String> = floors
                    .iter()
                    .map(|(name, floor)| format!("{:.2} of {name}", floor.as_secs_f64() / took.as_secs_f64()))
                    .collect();
                println!(
                    "    backtest, {name:<48} {:>7.0} MB/s, {:>8.0} events/s (its start {start:.1?} not counted, with it {:.0} MB/s)\n        {}",
                    rate(bytes, took),
                    EVENTS as f64 / took.as_secs_f64(),
                    rate(bytes, whole),
                    ratios.join("\n        ")
                );
            }
        }
    }
}

fn rate(bytes: usize, took: Duration) -> f64 {
    bytes as f64 / 1e6 / took.as_secs_f64()
}

/// The quickest of some runs.
fn best(mut run: impl FnMut()) -> Duration {
    let time = |_| {
        let began = Instant::now();
        run();
        began.elapsed()
    };
    (0..RUNS).map(time).min().unwrap()
}

fn backtest(binary: &Path, logs: &Path, rules: Option<&Path>, threads: usize) {
    let mut command = Command::new(binary);
    command.arg("backtest").arg("--quiet").arg("--threads").arg(threads.to_string()).arg(logs);
    if let Some(rules) = rules {
        command.arg("--rules").arg(rules);
    }
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success(), "{status}");
}

/// What reading and inflating, and parsing besides, take with so many threads.
fn floors(logs: &Path, threads: usize) -> Vec<(&'static str, Duration)> {
    let files: Vec<PathBuf> = fs::read_dir(logs).unwrap().map(|entry| entry.unwrap().path()).collect();
    let inflate = |path: &Path, text: &mut Vec<u8>| {
        text.clear();
        MultiGzDecoder::new(&*fs::read(path).unwrap()).read_to_end(text).unwrap();
    };
    let all = |each: &(dyn Fn(&Path, &mut Vec<u8>) + Sync)| {
        best(|| {
            let next = AtomicUsize::new(0);
            thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|| {
                        let mut text = Vec::new();
                        while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                            each(path, &mut text);
                        }
                    });
                }
            });
        })
    };
    let mut floors = vec![
        ("inflating (zlib-rs)", all(&inflate)),
        (
            "inflating and parsing (zlib-rs, serde_json)",
            all(&|path, text| {
                inflate(path, text);
                black_box(serde_json::from_slice::<Value>(text).unwrap());
            }),
        ),
    ];
    #[cfg(feature = "floor")]
    floors.push((
        "inflating and parsing (libdeflate, sonic-rs)",
        all(&|path, text| {
            let stored = fs::read(path).unwrap();
            let length = u32::from_le_bytes(stored[stored.len() - 4..].try_into().unwrap());
            text.resize(length as usize, 0);
            libdeflater::Decompressor::new().gzip_decompress(&stored, text).unwrap();
            black_box(sonic_rs::from_slice::<sonic_rs::Value>(text).unwrap());
        }),
    ));
    #[cfg(not(feature = "floor"))]
    println!("    the floor with libdeflate and sonic-rs is skipped: it takes `--features floor`");
    floors.sort_by_key(|(_, took)| *took);
    floors
}

/// The public Sigma rules, a file each.
fn sigma(folder: &Path) -> Option<PathBuf> {
    let corpus = PathBuf::from(std::env::var_os("RECTIFY_CORPUS")?);
    let rules = folder.join("rules");
    fs::create_dir(&rules).unwrap();
    let mut text = String::new();
    MultiGzDecoder::new(File::open(corpus.join("rules/sigma-aws.jsonl.gz")).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    for (number, line) in text.lines().enumerate() {
        let case: Value = serde_json::from_str(line).unwrap();
        fs::write(rules.join(format!("{number}.yml")), case["yaml"].as_str().unwrap()).unwrap();
    }
    Some(rules)
}

/// Writes log files; tells their bytes, inflated and as stored.
fn write_logs(folder: &Path, per_file: usize) -> (usize, usize) {
    fs::create_dir(folder).unwrap();
    let mut random = Random(20_260_101);
    let (mut bytes, mut stored) = (0, 0);
    for file in 0..EVENTS / per_file {
        let records: Vec<Value> = (0..per_file).map(|_| record(&mut random)).collect();
        let text = json!({"Records": records}).to_string();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        let compressed = encoder.finish().unwrap();
        (bytes, stored) = (bytes + text.len(), stored + compressed.len());
        fs::write(folder.join(format!("123456789012_CloudTrail_eu-west-1_{file:05}.json.gz")), compressed).unwrap();
    }
    (bytes, stored)
}

/// SplitMix64: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn uuid(&mut self) -> String {
        let (one, two) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            one >> 32,
            one & 0xffff,
            two & 0xfff,
            (two >> 12) & 0xfff,
            two >> 16 & 0xffff_ffff_ffff
        )
    }
}

/// A record as CloudTrail writes it: mostly reading calls, by roles.
fn record(random: &mut Random) -> Value {
    const CALLS: [(&str, &str, bool); 12] = [
        ("ec2", "DescribeInstances", true),
        ("ec2", "DescribeSecurityGroups", true),
        ("sts", "AssumeRole", true),
        ("s3", "GetBucketAcl", true),
        ("s3", "GetBucketLocation", true),
        ("kms", "Decrypt", true),
        ("ssm", "UpdateInstanceInformation", false),
        ("logs", "CreateLogStream", false),
        ("iam", "GetRole", true),
        ("lambda", "ListFunctions20150331", true),
        ("ec2", "RunInstances", false),
        ("s3", "PutBucketPolicy", false),
    ];
    // The last two change something, and come once in 200.
    let call = if random.below(200) == 0 { 10 + random.below(2) } else { random.below(10) };
    let (service, name, reads) = CALLS[call as usize];
    let (role, number, session) = (random.below(40), random.below(5_000), random.next());
    let time = format!(
        "2026-01-{:02}T{:02}:{:02}:{:02}Z",
        1 + random.below(28),
        random.below(24),
        random.below(60),
        random.below(60)
    );
    let request = match service {
        "s3" => {
            json!({"bucketName": format!("team-{role}-data-{number}"), "Host": format!("team-{role}-data-{number}.s3.eu-west-1.amazonaws.com"), "acl": ""})
        }
        "sts" => {
            json!({"roleArn": format!("arn:aws:iam::123456789012:role/service-role-{role}"), "roleSessionName": format!("session-{session:x}"), "durationSeconds": 3600})
        }
        "kms" => {
            json!({"encryptionAlgorithm": "SYMMETRIC_DEFAULT", "encryptionContext": {"aws:s3:arn": format!("arn:aws:s3:::team-{role}-data-{number}/part-{session:x}")}})
        }
        "ssm" => {
            json!({"instanceId": format!("i-{session:016x}"), "agentVersion": "3.2.1705.0", "agentStatus": "Active", "platformType": "Linux", "platformName": "Amazon Linux", "platformVersion": "2023", "iPAddress": format!("10.0.{}.{}", role, number % 256), "computerName": format!("ip-10-0-{role}-{}.eu-west-1.compute.internal", number % 256), "agentName": "amazon-ssm-agent"})
        }
        "iam" => json!({"roleName": format!("service-role-{role}")}),
        "logs" => {
            json!({"logGroupName": format!("/aws/lambda/function-{number}"), "logStreamName": format!("2026/01/01/[$LATEST]{session:016x}{number:016x}")})
        }
        _ => {
            json!({"maxResults": 1000, "filterSet": {"items": [{"name": "tag:team", "valueSet": {"items": [{"value": format!("team-{role}")}]}}]}})
        }
    };
    let response = match service {
        "sts" => json!({
            "credentials": {"accessKeyId": format!("ASIA{session:016X}"), "sessionToken": format!("IQoJb3JpZ2luX2VjE{:032x}{:032x}{:032x}", random.next(), random.next(), random.next()), "expiration": "Jan 1, 2026, 1:00:00 PM"},
            "assumedRoleUser": {"assumedRoleId": format!("AROA{number:012}EXAMPLE:session-{session:x}"), "arn": format!("arn:aws:sts::123456789012:assumed-role/service-role-{role}/session-{session:x}")},
        }),
        _ => Value::Null,
    };
    json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole", "principalId": format!("AROA{role:012}EXAMPLE:i-{session:016x}"), "arn": format!("arn:aws:sts::123456789012:assumed-role/service-role-{role}/i-{session:016x}"),
            "accountId": "123456789012", "accessKeyId": format!("ASIA{:016X}", random.next()),
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "principalId": format!("AROA{role:012}EXAMPLE"), "arn": format!("arn:aws:iam::123456789012:role/service-role-{role}"), "accountId": "123456789012", "userName": format!("service-role-{role}")},
                "attributes": {"creationDate": time, "mfaAuthenticated": "false"},
                "ec2RoleDelivery": "2.0",
            },
        },
        "eventTime": time, "eventSource": format!("{service}.amazonaws.com"), "eventName": name, "awsRegion": "eu-west-1",
        "sourceIPAddress": format!("10.{}.{}.{}", random.below(256), random.below(256), random.below(256)),
        "userAgent": "aws-sdk-go/1.55.5 (go1.22.6; linux; amd64) amazon-ssm-agent/3.2.1705.0",
        "requestParameters": request, "responseElements": response,
        "requestID": random.uuid(), "eventID": random.uuid(), "readOnly": reads, "eventType": "AwsApiCall", "managementEvent": true,
        "recipientAccountId": "123456789012", "eventCategory": "Management",
        "tlsDetails": {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256", "clientProvidedHostHeader": format!("{service}.eu-west-1.amazonaws.com")},
    })
}
