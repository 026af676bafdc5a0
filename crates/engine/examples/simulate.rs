//! Runs the simulator: many seeds, or one with all that happens.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool for the terminal")]

use std::{collections::BTreeMap, process::ExitCode, time::Instant};

use engine::simulator::simulate;

const USAGE: &str = "usage: simulate [--seeds COUNT] [--first-seed N] | --seed N [--trace]";

struct Arguments {
    first: u64,
    count: u64,
    trace: bool,
}

fn arguments() -> Option<Arguments> {
    let mut arguments = Arguments { first: 0, count: 1000, trace: false };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let mut number = || given.next()?.parse().ok();
        match name.as_str() {
            "--seeds" => arguments.count = number()?,
            "--first-seed" => arguments.first = number()?,
            "--seed" => (arguments.first, arguments.count) = (number()?, 1),
            "--trace" => arguments.trace = true,
            _ => return None,
        }
    }
    Some(arguments)
}

fn main() -> ExitCode {
    let Some(Arguments { first, count, trace }) = arguments() else {
        eprintln!("{USAGE}");
        return ExitCode::FAILURE;
    };
    let begun = Instant::now();
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    let (mut simulated, mut failed) = (0.0, 0_u64);
    for seed in first..first.saturating_add(count) {
        let report = simulate(seed, trace);
        simulated += report.simulated.as_secs_f64();
        for (what, often) in report.counts {
            *counts.entry(what).or_default() += often;
        }
        if count == 1 {
            println!("trace {:016x}", report.trace);
        }
        if !report.violations.is_empty() {
            failed += 1;
            println!("seed {seed} fails:");
            for violation in report.violations {
                println!("  {violation}");
            }
            println!("  again: cargo run -p engine --features simulator --example simulate -- --seed {seed} --trace");
        }
    }
    for (what, often) in counts {
        println!("{often:>10} {what}");
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("{count} seeds in {seconds:.1} s, {:.1} simulated hours, {failed} failed", simulated / 3600.0);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
