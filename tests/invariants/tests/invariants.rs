//! The invariants of ARCHITECTURE.md, each an absence.

use invariants::{dependencies, files, lines, root, text};

/// The crates in their order: arrows point only to those before.
const CRATES: [&str; 9] =
    ["query", "asl", "execution", "detection", "aws", "engine", "integrations", "server", "rectify"];
const PURE: [&str; 4] = ["query", "asl", "execution", "detection"];

/// No line of code below these folders holds any of these texts; `excepted` are files that may.
#[track_caller]
fn absent(folders: &[String], texts: &[&str], excepted: &[&str], tests: bool) {
    let mut found = Vec::new();
    for line in folders.iter().flat_map(|folder| lines(folder, tests)) {
        if let Some(text) = texts
            .iter()
            .find(|text| line.code.contains(**text))
            .filter(|_| !excepted.iter().any(|file| line.file.starts_with(file)))
        {
            found.push(format!("{}:{}: `{text}`: {}", line.file, line.number, line.code.trim()));
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

fn sources(crates: &[&str]) -> Vec<String> {
    crates.iter().map(|krate| format!("crates/{krate}/src")).collect()
}

fn others(excepted: &[&str]) -> Vec<&'static str> {
    CRATES.into_iter().filter(|krate| !excepted.contains(krate)).collect()
}

#[test]
fn arrows_point_one_way() {
    let allowed: [(&str, &[&str]); 7] = [
        ("query", &[]),
        ("asl", &["query"]),
        ("execution", &["asl", "query"]),
        ("detection", &["asl", "query"]),
        ("aws", &[]),
        ("engine", &["execution", "detection", "asl", "query"]),
        ("integrations", &["aws", "engine", "execution", "detection", "asl", "query"]),
    ];
    for (krate, allowed) in allowed {
        for dependency in dependencies(krate).iter().filter(|name| CRATES.contains(&name.as_str())) {
            assert!(allowed.contains(&dependency.as_str()), "`{krate}` must not know `{dependency}`");
        }
    }
    for krate in ["server", "rectify"] {
        let place = CRATES.iter().position(|name| *name == krate).unwrap();
        for dependency in dependencies(krate) {
            let other = CRATES.iter().position(|name| *name == dependency);
            assert!(other.is_none_or(|other| other < place), "`{krate}` must not know `{dependency}`");
        }
    }
}

#[test]
fn pure_crates_name_nothing_of_the_world() {
    let world = [
        "tokio",
        "async fn",
        ".await",
        "futures",
        "std::fs",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "ToSocketAddrs",
        "std::env",
        "std::process",
        "std::thread",
        "std::time::Instant",
        "Instant::now",
        "SystemTime",
        "Timestamp::now",
        "Zoned::now",
        "rand::rng",
        "thread_rng",
        "from_os_rng",
        "from_entropy",
        "OsRng",
        "getrandom",
        "env!(\"HOME",
        "aws_config",
        "aws_smithy",
        "aws_sigv4",
        "println!",
        "eprintln!",
    ];
    absent(&sources(&PURE), &world, &[], false);
    for krate in PURE {
        for dependency in dependencies(krate) {
            let shell =
                ["tokio", "async-trait", "rusqlite", "axum", "hyper", "http", "uuid", "tracing", "tempfile", "aws"];
            assert!(
                !shell.contains(&dependency.as_str()) && !dependency.starts_with("aws-"),
                "pure `{krate}` must not know `{dependency}`"
            );
        }
    }
}

#[test]
fn only_server_and_the_runtime_api_name_an_http_server() {
    let crates = others(&["server", "rectify"]);
    let runtime_api = "crates/integrations/src/local_function/runtime_api.rs";
    absent(&sources(&crates), &["axum", "hyper::server", "TcpListener"], &[runtime_api], false);
    absent(&sources(&["rectify"]), &["axum::Router::new", "axum::routing"], &[], false);
}

#[test]
fn only_aws_names_an_http_client() {
    absent(
        &sources(&others(&["aws"])),
        &["aws_smithy_http_client", "hyper_util::client", "hyper::client", "reqwest", "TcpStream::connect"],
        &[],
        false,
    );
}

#[test]
fn only_rectify_and_aws_read_the_environment() {
    absent(&sources(&others(&["aws", "rectify"])), &["std::env", "env::var"], &[], false);
}

#[test]
fn no_queue_is_without_a_limit() {
    absent(&sources(&CRATES), &["unbounded", "mpsc::channel()"], &[], false);
}

#[test]
fn lints_are_on_and_their_exceptions_give_reasons() {
    let manifest = text("Cargo.toml");
    assert!(manifest.contains("unsafe_code = \"forbid\""));
    for lint in [
        "unwrap_used",
        "expect_used",
        "panic",
        "indexing_slicing",
        "todo",
        "cast_possible_truncation",
        "allow_attributes_without_reason",
    ] {
        assert!(manifest.contains(&format!("{lint} = ")), "{lint} is off");
    }
    for krate in CRATES {
        assert!(
            text(&format!("crates/{krate}/Cargo.toml")).contains("[lints]\nworkspace = true"),
            "`{krate}` has not the workspace's lints"
        );
    }
    absent(&sources(&CRATES), &["#[allow(", "#![allow("], &[], false);
    absent(&sources(&CRATES), &["#[ignore", "todo!(", "unimplemented!("], &[], true);
}

#[test]
fn files_are_short_and_found_by_their_names() {
    const LONGEST: usize = 600;
    for path in ["crates", "tests", "xtask", "benches"].iter().flat_map(|folder| files(folder)) {
        let name = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
        assert!(
            !name.ends_with("mod.rs") || name.ends_with("/tests/support/mod.rs"),
            "{name}: a module's file has its name"
        );
        let length = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(length <= LONGEST, "{name} has {length} lines, more than {LONGEST}");
    }
}

/// What looks like a code, and is what a field of a definition says.
const VALUES: [&str; 3] = ["ATHENA_DATA", "FIRST_ROW", "LOAD_AND_FLATTEN"];

/// Every code of a problem is told in docs/validation.md, in the order of the list, and no code is used that is not in the list.
#[test]
fn every_code_of_a_problem_is_documented() {
    let list = text("crates/asl/src/codes.rs");
    let listed: Vec<&str> = list
        .lines()
        .filter_map(|line| line.trim().strip_prefix("aws(\"").or_else(|| line.trim().strip_prefix("ours(\"")))
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let docs = text("docs/validation.md");
    let sections: Vec<&str> = docs.split("\n### `").skip(1).collect();
    let told: Vec<&str> = sections.iter().filter_map(|section| section.split('`').next()).collect();
    // Those of guardrails and of the configuration come behind those of state machines.
    let (of_machines, others) = told.split_at(listed.len());
    assert_eq!(of_machines, listed);
    for section in sections {
        assert!(section.contains("\nExample: ") && section.contains("\nMend: "), "{section}");
    }
    let is_code = |word: &&str| {
        word.contains('_') && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') && word.len() > 3
    };
    let folders = ["crates/asl/src".to_owned(), "crates/integrations/src/resource".to_owned()];
    for line in folders.iter().flat_map(|folder| lines(folder, false)) {
        for word in line.code.split('"').skip(1).step_by(2).filter(is_code) {
            assert!(
                listed.contains(&word) || VALUES.contains(&word),
                "{}:{}: `{word}` is in no list",
                line.file,
                line.number
            );
        }
    }
    let made = |name: &str| {
        let folders = ["crates/detection/src", "crates/rectify/src"];
        let calls = ["problem(", "warning(", "error(", "INVALID_CONFIGURATION: &str = "]
            .map(|call| format!("{call}\"{name}\""));
        let of =
            |folder: &str| lines(folder, false).iter().any(|line| calls.iter().any(|call| line.code.contains(call)));
        folders.into_iter().any(of)
    };
    for name in others {
        assert!(made(name), "`{name}` is told in docs/validation.md, and nothing has it");
    }
    for folder in ["crates/detection/src", "crates/rectify/src"] {
        for line in lines(folder, false) {
            for call in [".problem(\"", ".warning(\"", "Diagnostic::error(\""] {
                let code = line.code.split_once(call).and_then(|(_, rest)| rest.split('"').next()).filter(is_code);
                if let Some(code) = code {
                    assert!(told.contains(&code), "{}:{}: `{code}` is in no list", line.file, line.number);
                }
            }
        }
    }
}
