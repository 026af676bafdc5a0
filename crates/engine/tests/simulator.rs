//! The simulator: a thousand seeds, and that a seed is a run.

use std::{
    collections::BTreeMap,
    process::Command,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use engine::simulator::{Report, simulate};

/// Seeds of the test; more by `cargo run --release -p engine --features simulator --example simulate -- --seeds 10000`.
const SEEDS: u64 = 1000;

/// What has to occur among them, so that all of it is tried.
const MUST_OCCUR: &[&str] = &[
    "activity tasks handed over",
    "alerts",
    "asynchronous executions",
    "ends compared with the reference",
    "executions begun without room",
    "executions redriven",
    "executions stopped",
    "fault: a job was not stopped",
    "fault: a service did not say how its job stands",
    "fault: activity worker went away",
    "fault: an alert was not heard",
    "fault: answer lost",
    "fault: clock set back",
    "fault: clock set forwards",
    "fault: crash after a commit, its answers lost",
    "fault: crash at any time",
    "fault: crash before a commit",
    "fault: disk full",
    "fault: event doubled",
    "fault: event late",
    "fault: items not read",
    "fault: one write failed",
    "fault: read failed",
    "fault: redrive doubled",
    "fault: start doubled",
    "fault: task throttled",
    "fault: task too slow",
    "fault: token answered twice",
    "fault: token never answered",
    "fault: unknown token",
    "fault: write of a group failed",
    "jobs stopped for good",
    "jobs that still ran",
    "live executions compared with their journals",
    "map runs redriven",
    "map runs that read on from their cursors",
    "message: BeginWritten, failed",
    "message: Loaded, failed",
    "message: MakeRoom",
    "message: Redrive",
    "message: Watch",
    "message: Written, failed",
    "nested executions asked after",
    "nested executions stopped",
    "pages of items read",
    "synchronous executions",
    "tasks performed again",
    "tokens answered too late",
    "watchers told",
];

/// The reports of all seeds; each seed runs in one thread.
fn reports() -> Vec<Report> {
    let next = AtomicU64::new(0);
    let run = || {
        let seeds = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed)).take_while(|seed| *seed < SEEDS);
        seeds.map(|seed| simulate(seed, false)).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get).min(4);
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        running
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

#[test]
fn a_thousand_seeds_are_well() {
    let reports = reports();
    assert_eq!(reports.len() as u64, SEEDS);
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    for Report { seed, violations, counts: counted, .. } in reports {
        assert!(
            violations.is_empty(),
            "seed {seed}: {violations:#?}\nagain: cargo run -p engine --features simulator --example simulate -- --seed {seed} --trace"
        );
        for (what, often) in counted {
            *counts.entry(what).or_default() += often;
        }
    }
    println!("{counts:#?}");
    let never: Vec<_> = MUST_OCCUR.iter().filter(|what| !counts.contains_key(*what)).collect();
    assert!(never.is_empty(), "in {SEEDS} seeds this never happened: {never:?}");
}

#[test]
fn a_seed_is_a_run() {
    for seed in 0..10 {
        let (first, second) = (simulate(seed, false), simulate(seed, false));
        assert_eq!((first.trace, first.counts), (second.trace, second.counts), "seed {seed}");
    }
}

/// Said to a process of this test that is to tell the traces of some seeds, and to do nothing else.
const TELL_TRACES: &str = "SIMULATOR_TELL_TRACES";
/// What stands before them.
const TRACES: &str = "traces: ";

/// What differs between processes, as the order of hash maps and addresses do, must decide nothing.
#[test]
fn a_seed_is_the_same_run_in_every_process() {
    let traces = || (20..30).map(|seed| format!("{:016x}", simulate(seed, false).trace)).collect::<Vec<_>>().join(" ");
    if std::env::var_os(TELL_TRACES).is_some() {
        println!("\n{TRACES}{}", traces());
        return;
    }
    let told = || {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_seed_is_the_same_run_in_every_process", "--nocapture"])
            .env(TELL_TRACES, "1")
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .find_map(|line| line.strip_prefix(TRACES))
            .unwrap_or_else(|| panic!("no traces: {text}"))
            .to_owned()
    };
    let here = traces();
    assert_eq!((told(), told()), (here.clone(), here));
}
