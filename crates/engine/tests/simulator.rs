//! The simulator: a thousand seeds, and that a seed is a run.

use std::collections::BTreeMap;

use engine::simulator::{Report, simulate};

/// Seeds of the test; more by `cargo run --release -p engine --features simulator --example simulate -- --seeds 10000`.
const SEEDS: u64 = 1000;

fn check(report: &Report) {
    let Report { seed, violations, .. } = report;
    assert!(
        violations.is_empty(),
        "seed {seed}: {violations:#?}\nagain: cargo run -p engine --features simulator --example simulate -- --seed {seed} --trace"
    );
}

#[test]
fn a_thousand_seeds_are_well() {
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in 0..SEEDS {
        let report = simulate(seed, false);
        check(&report);
        for (what, often) in report.counts {
            *counts.entry(what).or_default() += often;
        }
    }
    println!("{counts:#?}");
    for what in MUST_OCCUR {
        assert!(counts.contains_key(what), "in {SEEDS} seeds this never happened: {what}");
    }
}

const MUST_OCCUR: &[&str] = &[];

#[test]
fn a_seed_is_a_run() {
    for seed in 0..20 {
        let (first, second) = (simulate(seed, false), simulate(seed, false));
        assert_eq!((first.trace, first.counts), (second.trace, second.counts), "seed {seed}");
    }
}
