//! What deciding alone costs.

use std::time::{Duration, Instant};

use engine::{Clock as _, SystemClock};

use crate::machines::Machine;

/// The microseconds that deciding takes, and writing down what was decided: without a store, on one core, for a machine that waits for
/// nothing.
pub fn decided_and_serialized(machine: Machine) -> (f64, f64) {
    let document = asl::Document::parse(&machine.definition(), asl::Format::Json).unwrap();
    let (parsed, _) = asl::parse::parse(&document, &asl::parse::AnyResource).unwrap();
    let rounds = 3000_u32;
    let (mut deciding, mut serializing) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..rounds {
        let start = execution::ExecutionStart {
            execution_arn: "arn:aws:states:eu-central-1:123456789012:execution:passes:e".to_owned(),
            name: "e".to_owned(),
            state_machine_arn: "arn:aws:states:eu-central-1:123456789012:stateMachine:passes".to_owned(),
            state_machine_name: "passes".to_owned(),
            role_arn: "arn:aws:iam::123456789012:role/r".to_owned(),
            input: machine.input().to_owned(),
            express: false,
            quotas: execution::Quotas::AWS,
        };
        let moment = execution::Moment { now: SystemClock.now(), seed: SystemClock.seed() };
        let mut running = execution::Execution::new();
        let mut input = execution::Input::StartExecution(Box::new(start));
        while running.ended().is_none() {
            let began = Instant::now();
            let step = execution::step(&parsed, &mut running, input, moment).unwrap();
            deciding += began.elapsed();
            let began = Instant::now();
            std::hint::black_box(execution::journal::write(step.records).unwrap());
            serializing += began.elapsed();
            input = execution::Input::Continue;
        }
    }
    let each = |total: Duration| total.as_secs_f64() * 1e6 / f64::from(rounds);
    (each(deciding), each(serializing))
}
