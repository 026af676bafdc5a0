use std::{ops::AddAssign as _, sync::Mutex};

use asl::{Document, Format, StateMachine, parse::AnyResource};
use serde_json::json;
use tokio::sync::Semaphore;

use super::*;
use crate::{
    engine::message::{Delivered, Room},
    ports::{ExecutionKind, NewExecution, TaskOutcome},
};

/// A clock that stands still until it is set.
struct Fixed(Mutex<Timestamp>);

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn seed(&self) -> [u8; 32] {
        [7; 32]
    }
}

struct World {
    clock: Arc<Fixed>,
    worker: Worker,
    memory: Arc<Semaphore>,
}

const ARN: &str = "arn:aws:states:eu-central-1:123456789012:execution:m:e";

impl World {
    fn new(evict_after_seconds: u64) -> World {
        let clock = Arc::new(Fixed(Mutex::new("2026-01-01T00:00:00Z".parse().unwrap())));
        let options = Options { evict_after_seconds, ..Options::default() };
        World { worker: Worker::new(clock.clone(), &options), clock, memory: Arc::new(Semaphore::new(10)) }
    }

    fn handle(&mut self, message: Message) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.worker.handle(message, &mut effects);
        effects
    }

    fn advance(&mut self, seconds: i64) -> Vec<Effect> {
        {
            let mut now = self.clock.0.lock().unwrap();
            *now += SignedDuration::from_secs(seconds);
        }
        self.handle(Message::Tick)
    }

    fn begin(&mut self, machine: &Arc<StateMachine>) -> (Vec<Effect>, oneshot::Receiver<Result<Started, Refusal>>) {
        self.begin_as(ARN, machine)
    }

    fn begin_as(
        &mut self,
        arn: &str,
        machine: &Arc<StateMachine>,
    ) -> (Vec<Effect>, oneshot::Receiver<Result<Started, Refusal>>) {
        let room = self.memory.clone().try_acquire_owned().unwrap();
        self.begin_with(arn, machine, Some(room))
    }

    fn begin_with(
        &mut self,
        arn: &str,
        machine: &Arc<StateMachine>,
        room: Option<Room>,
    ) -> (Vec<Effect>, oneshot::Receiver<Result<Started, Refusal>>) {
        let (reply, answer) = oneshot::channel();
        let new = NewExecution { arn: arn.to_owned(), ..new_execution() };
        let beginning = Beginning { new, machine: machine.clone(), kept_as: None, watcher: None, room, reply };
        (self.handle(Message::Begin(Box::new(beginning))), answer)
    }

    fn begin_written(&mut self) -> Vec<Effect> {
        self.handle(Message::BeginWritten { arn: ARN.into(), outcome: Ok(Begun::New(1)) })
    }

    fn written(&mut self, outcome: Result<(), StoreError>) -> Vec<Effect> {
        self.handle(Message::Written { arn: ARN.into(), outcome })
    }

    fn task_ended(&mut self, event_id: u64, outcome: TaskOutcome) -> Vec<Effect> {
        self.handle(Message::TaskEnded { arn: ARN.into(), event_id, outcome })
    }

    fn deliver(&mut self, input: Input) -> (Vec<Effect>, oneshot::Receiver<Result<Delivered, StoreError>>) {
        let (reply, answer) = oneshot::channel();
        (self.handle(Message::Deliver { arn: ARN.into(), input, reply }), answer)
    }
}

fn new_execution() -> NewExecution {
    NewExecution {
        arn: ARN.to_owned(),
        name: "e".to_owned(),
        state_machine_arn: "arn:aws:states:eu-central-1:123456789012:stateMachine:m".to_owned(),
        kind: ExecutionKind::Standard,
        version_arn: None,
        alias_arn: None,
        revision: None,
        definition: [0; 32],
        role_arn: String::new(),
        input: "{}".to_owned(),
        finding: None,
        map_run: None,
        started_at: Timestamp::UNIX_EPOCH,
    }
}

fn machine(states: serde_json::Value) -> Arc<StateMachine> {
    let definition = json!({"StartAt": states.as_object().unwrap().keys().next(), "States": states}).to_string();
    let document = Document::parse(&definition, Format::Json).unwrap();
    Arc::new(asl::parse::parse(&document, &AnyResource).unwrap().0)
}

fn task() -> Arc<StateMachine> {
    machine(json!({"T": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:listBuckets", "End": true}}))
}

fn asked() -> Arc<StateMachine> {
    let resource = "arn:aws:states:::aws-sdk:sqs:sendMessage.waitForTaskToken";
    machine(json!({"T": {"Type": "Task", "Resource": resource, "Parameters": {"T.$": "$$.Task.Token"}, "End": true}}))
}

fn wait(seconds: u64) -> Arc<StateMachine> {
    machine(json!({"W": {"Type": "Wait", "Seconds": seconds, "End": true}}))
}

fn full() -> StoreError {
    StoreError::Unavailable("full".to_owned())
}

/// The effects by name, with what tells them apart.
fn names(effects: &[Effect]) -> Vec<String> {
    let name = |effect: &Effect| match effect {
        Effect::Load { after, .. } => format!("load after {} ms", after.as_millis()),
        Effect::Begin { progress, .. } => format!("begin {} rows", progress.rows.len()),
        Effect::Write { progress, .. } => format!("write {} rows", progress.rows.len()),
        Effect::Perform { task, .. } => format!("perform {}", task.scheduled.event_id),
        Effect::PutOff { number } => format!("put off {number}"),
        Effect::Offer { event_id, .. } => format!("offer {event_id}"),
        Effect::Submitted { event_id, .. } => format!("submitted {event_id}"),
        Effect::Withdraw { event_id, .. } => format!("withdraw {event_id}"),
        Effect::Cancel { event_id, .. } => format!("cancel {event_id}"),
        Effect::Evicted { next_timer_at } => format!("evicted {}", next_timer_at.is_some()),
        Effect::Alert => "alert".to_owned(),
        Effect::DriveMapRun { .. } => "drive map run".to_owned(),
    };
    effects.iter().map(name).collect()
}

/// What a replay of the records written so far would bring.
fn replayed(machine: &Arc<StateMachine>, effects: &[Effect]) -> Message {
    let records: Vec<execution::Record> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Begin { progress, .. } | Effect::Write { progress, .. } => Some(progress),
            _ => None,
        })
        .flat_map(|progress| progress.rows.iter().flat_map(|row| row.records.clone()))
        .collect();
    let live = Live {
        number: 1,
        new: Arc::new(new_execution()),
        machine: machine.clone(),
        execution: execution::replay(machine, &records).unwrap(),
        next_seq: 1,
        standing: Standing::Working,
    };
    Message::Loaded { arn: ARN.into(), outcome: Ok(Some(Box::new(live))) }
}

#[test]
fn nothing_is_performed_or_answered_before_it_is_durable() {
    let mut world = World::new(60);
    let (effects, mut answer) = world.begin(&task());
    assert_eq!(names(&effects), ["begin 1 rows"]);
    assert!(answer.try_recv().is_err());
    assert_eq!(names(&world.begin_written()), ["perform 3"]);
    assert!(matches!(answer.try_recv(), Ok(Ok(Started::New(_)))));

    let (reply, mut ended) = oneshot::channel();
    let (watching, mut watched) = oneshot::channel();
    world.handle(Message::Watch { arn: ARN.into(), watching, reply });
    assert_eq!(watched.try_recv(), Ok(()), "who watches is told so");
    assert_eq!(names(&world.task_ended(3, TaskOutcome::Succeeded(json!(1)))), ["write 1 rows"]);
    assert!(ended.try_recv().is_err());
    assert_eq!(names(&world.written(Ok(()))), Vec::<String>::new());
    assert_eq!(ended.try_recv().unwrap().output, Some(json!(1)));
    assert!(world.worker.slots.is_empty() && world.worker.timers.is_empty() && world.worker.watchers.is_empty());
    assert_eq!(world.memory.available_permits(), 10);
}

#[test]
fn what_finds_no_room_begins_and_waits_in_the_store_if_it_has_something_to_do() {
    // The machine, whether it has room, and what is done once its beginning is durable.
    let check = |machine: &Arc<StateMachine>, has_room: bool, expected: &[&str], in_memory: usize| {
        let mut world = World::new(3600);
        let room = has_room.then(|| world.memory.clone().try_acquire_owned().unwrap());
        let (effects, mut answer) = world.begin_with(ARN, machine, room);
        assert_eq!(names(&effects), ["begin 1 rows"]);
        assert!(answer.try_recv().is_err());
        assert_eq!(names(&world.begin_written()), expected);
        assert!(matches!(answer.try_recv(), Ok(Ok(Started::New(_)))));
        assert_eq!(world.worker.executions(), in_memory);
        assert!(in_memory > 0 || world.worker.timers.is_empty());
    };
    check(&task(), true, &["perform 3"], 1);
    check(&task(), false, &["put off 1"], 0);
    let times_out = machine(json!({"T": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:listBuckets",
        "TimeoutSeconds": 9, "End": true}}));
    check(&times_out, false, &["put off 1"], 0);
    check(&machine(json!({"P": {"Type": "Pass", "End": true}})), false, &[], 0);
}

#[test]
fn a_failed_write_replays_and_keeps_the_answer() {
    let mut world = World::new(60);
    let machine = task();
    let (begun, _answer) = world.begin(&machine);
    world.begin_written();
    world.task_ended(3, TaskOutcome::Succeeded(json!(1)));
    assert_eq!(names(&world.written(Err(full()))), ["load after 100 ms"]);
    let unavailable = || Message::Loaded { arn: ARN.into(), outcome: Err(full()) };
    assert_eq!(names(&world.handle(unavailable())), ["load after 200 ms"]);
    for _ in 0..20 {
        world.handle(unavailable());
    }
    assert_eq!(names(&world.handle(unavailable())), ["load after 10000 ms"]);
    let effects = world.handle(replayed(&machine, &begun));
    assert_eq!(names(&effects), ["write 1 rows"], "the task is answered already, and not performed again");
    world.written(Ok(()));
    assert!(world.worker.slots.is_empty());
}

#[test]
fn a_failed_write_refuses_callers_who_can_ask_again() {
    let mut world = World::new(60);
    let machine = task();
    let (begun, _answer) = world.begin(&machine);
    world.begin_written();
    let (effects, mut first) = world.deliver(Input::StopExecution { error: None, cause: None });
    assert_eq!(names(&effects), ["write 1 rows"]);
    let (effects, mut second) = world.deliver(Input::StopExecution { error: None, cause: None });
    assert!(effects.is_empty());
    world.written(Err(full()));
    assert_eq!((first.try_recv().unwrap(), second.try_recv().unwrap()), (Err(full()), Err(full())));
    assert_eq!(names(&world.handle(replayed(&machine, &begun))), Vec::<String>::new());
    let (_, mut third) = world.deliver(Input::StopExecution { error: None, cause: None });
    assert_eq!(names(&world.written(Ok(()))), ["cancel 3"]);
    assert!(matches!(third.try_recv().unwrap(), Ok(Delivered::Taken(_))));
}

#[test]
fn a_name_that_is_being_begun_is_begun_once() {
    let mut world = World::new(60);
    let (_, mut first) = world.begin(&task());
    let (effects, mut second) = world.begin(&task());
    assert!(effects.is_empty() && second.try_recv().is_err());
    world.begin_written();
    assert!(matches!(first.try_recv(), Ok(Ok(Started::New(_)))));
    assert!(matches!(second.try_recv(), Ok(Ok(Started::Exists(None)))));

    let mut world = World::new(60);
    let (_, mut first) = world.begin(&task());
    let (_, mut second) = world.begin(&task());
    world.handle(Message::BeginWritten { arn: ARN.into(), outcome: Err(full()) });
    assert!(matches!(first.try_recv(), Ok(Err(Refusal::Store(_)))) && matches!(second.try_recv(), Ok(Err(_))));
    assert!(world.worker.slots.is_empty() && world.memory.available_permits() == 10);
}

#[test]
fn an_execution_that_only_waits_leaves_memory_unless_it_is_about_to_wake() {
    let mut world = World::new(60);
    world.begin(&wait(3600));
    assert_eq!(names(&world.begin_written()), Vec::<String>::new());
    assert_eq!(names(&world.advance(59)), Vec::<String>::new());
    assert_eq!(names(&world.advance(1)), ["evicted true"]);
    assert!(world.worker.slots.is_empty() && world.worker.timers.is_empty() && world.worker.due().is_none());

    let mut world = World::new(0);
    world.begin(&wait(1));
    assert_eq!(names(&world.begin_written()), Vec::<String>::new());
    assert_eq!(names(&world.advance(0)), Vec::<String>::new());
    assert_eq!(names(&world.advance(1)), ["write 1 rows"], "its timer is due");
}

#[test]
fn many_timers_that_are_due_at_once_let_others_go_between() {
    const COUNT: usize = 1000;
    let mut world = World::new(3600);
    let sleepers = wait(60);
    world.memory = Arc::new(Semaphore::new(COUNT + 1));
    for number in 0..COUNT {
        let arn = format!("{ARN}-{number}");
        world.begin_as(&arn, &sleepers);
        world.handle(Message::BeginWritten { arn: arn.as_str().into(), outcome: Ok(Begun::New(1)) });
    }
    let mut fired = world.advance(60).len();
    assert!(fired > 0 && fired <= TIMERS_A_TICK, "{fired} timers are handled in one go");
    let due = world.worker.due().unwrap();
    assert_eq!(due, *world.clock.0.lock().unwrap(), "the next ones are due at once");
    let (effects, _answer) = world.begin(&task());
    assert_eq!(names(&effects), ["begin 1 rows"], "another goes between");
    for _ in 0..COUNT {
        fired += world.handle(Message::Tick).len();
    }
    assert_eq!(fired, COUNT, "each fires once");
    assert!(world.worker.timers.is_empty());
}

#[test]
fn others_who_want_in_make_the_waiting_leave_early() {
    let mut world = World::new(60);
    world.begin(&wait(3600));
    world.begin_written();
    assert_eq!(names(&world.handle(Message::MakeRoom)), ["evicted true"]);
    assert_eq!(world.memory.available_permits(), 10);

    let mut world = World::new(60);
    world.begin(&task());
    world.begin_written();
    assert_eq!(names(&world.handle(Message::MakeRoom)), Vec::<String>::new(), "it does not only wait");
}

#[test]
fn a_damaged_execution_is_left_and_told() {
    let mut world = World::new(60);
    let (effects, mut answer) = world.deliver(Input::StopExecution { error: None, cause: None });
    assert_eq!(names(&effects), ["load after 0 ms"]);
    let damaged = StoreError::Damaged("torn".to_owned());
    world.handle(Message::Loaded { arn: ARN.into(), outcome: Err(damaged.clone()) });
    assert_eq!(answer.try_recv().unwrap(), Err(damaged));
    let (_, mut answer) = world.deliver(Input::StopExecution { error: None, cause: None });
    world.handle(Message::Loaded { arn: ARN.into(), outcome: Ok(None) });
    assert_eq!(answer.try_recv().unwrap(), Ok(Delivered::Late));
    assert!(world.worker.slots.is_empty());
}

#[test]
fn what_is_late_because_of_what_is_not_durable_is_told_once_that_is() {
    for (outcome, expected) in [(Ok(()), Ok(Ok(Delivered::Late))), (Err(full()), Ok(Err(full())))] {
        let mut world = World::new(60);
        world.begin(&task());
        // While it is being begun, both wait, and are then taken together.
        let stop = || Input::StopExecution { error: None, cause: None };
        let (_, mut first) = world.deliver(stop());
        let (_, mut second) = world.deliver(stop());
        assert_eq!(names(&world.begin_written()), ["perform 3", "write 1 rows"]);
        assert!(first.try_recv().is_err() && second.try_recv().is_err(), "the end is not durable");
        world.written(outcome);
        assert_eq!(second.try_recv(), expected);
    }
}

#[test]
fn a_task_that_its_token_answered_is_no_longer_performed() {
    let mut world = World::new(60);
    world.begin(&asked());
    assert_eq!(names(&world.begin_written()), ["perform 3"]);
    let (effects, mut answer) = world.deliver(Input::TaskSucceeded { event_id: 3, output: json!(1) });
    assert_eq!(names(&effects), ["write 1 rows"]);
    assert_eq!(names(&world.written(Ok(()))), ["withdraw 3"]);
    assert!(matches!(answer.try_recv(), Ok(Ok(Delivered::Taken(_)))));
}

#[test]
fn a_second_answer_by_token_does_not_hide_that_the_first_ended_the_task() {
    let mut world = World::new(60);
    world.begin(&asked());
    // While it is being begun both wait, and are then taken together.
    let answered = || Input::TaskSucceeded { event_id: 3, output: json!(1) };
    let (_, mut first) = world.deliver(answered());
    let (_, mut second) = world.deliver(answered());
    assert_eq!(names(&world.begin_written()), ["perform 3", "write 1 rows"]);
    assert_eq!(names(&world.written(Ok(()))), ["withdraw 3"]);
    assert!(matches!(first.try_recv(), Ok(Ok(Delivered::Taken(_)))));
    assert_eq!(second.try_recv(), Ok(Ok(Delivered::Late)));
}

fn redrive(world: &mut World) -> (Vec<Effect>, oneshot::Receiver<Result<Delivered, StoreError>>) {
    let (reply, answer) = oneshot::channel();
    let room = world.memory.clone().try_acquire_owned().unwrap();
    let redriving = Redriving { arn: ARN.into(), client_token: None, room, reply };
    (world.handle(Message::Redrive(Box::new(redriving))), answer)
}

fn loads_even_if_ended(effects: &[Effect]) -> bool {
    matches!(effects, [Effect::Load { even_if_ended: true, .. }])
}

#[test]
fn a_redrive_behind_something_that_is_late_is_taken() {
    let mut world = World::new(60);
    let (effects, mut late) = world.deliver(Input::TaskHeartbeat { event_id: 3 });
    assert!(matches!(effects.as_slice(), [Effect::Load { even_if_ended: false, .. }]));
    let (effects, mut redriven) = redrive(&mut world);
    assert!(effects.is_empty(), "{:?}", names(&effects));
    let effects = world.handle(Message::Loaded { arn: ARN.into(), outcome: Ok(None) });
    assert!(loads_even_if_ended(&effects), "{:?}", names(&effects));
    assert!(late.try_recv().is_err() && redriven.try_recv().is_err());
    // It is not there at all.
    assert!(world.handle(Message::Loaded { arn: ARN.into(), outcome: Ok(None) }).is_empty());
    assert_eq!((late.try_recv(), redriven.try_recv()), (Ok(Ok(Delivered::Late)), Ok(Ok(Delivered::Late))));
}

#[test]
fn a_redrive_that_comes_while_the_end_is_written_is_taken() {
    let mut world = World::new(60);
    world.begin(&task());
    world.begin_written();
    world.deliver(Input::StopExecution { error: None, cause: None });
    let (effects, mut redriven) = redrive(&mut world);
    assert!(effects.is_empty(), "{:?}", names(&effects));
    let effects = world.written(Ok(()));
    assert!(loads_even_if_ended(effects.get(1..).unwrap()), "{:?}", names(&effects));
    assert!(redriven.try_recv().is_err());
}

#[test]
fn a_map_run_hears_of_a_child_that_was_given_up_once_its_end_is_kept() {
    let mut world = World::new(60);
    let map_run = crate::ports::MapRunChild { arn: "run".to_owned(), state_name: "M".to_owned(), is_express: true };
    let new = NewExecution { kind: ExecutionKind::MapRunChild, map_run: Some(map_run), ..new_execution() };
    let live = Live {
        number: 1,
        new: Arc::new(new),
        machine: task(),
        execution: execution::Execution::new(),
        next_seq: 0,
        standing: Standing::Working,
    };
    let mut effects = Vec::new();
    world.worker.give_up(ARN.into(), Slot::new(Phase::Loading, None), Box::new(live), &mut effects);
    assert_eq!(names(&effects), ["write 0 rows"]);
    assert_eq!(names(&world.written(Ok(()))), ["drive map run"]);
    assert!(world.worker.slots.is_empty());
}

#[test]
fn an_activity_that_is_not_there_is_told_to_what_has_left_memory() {
    let mut world = World::new(60);
    let cause = "gone".to_owned();
    let outcome = TaskOutcome::ScheduleFailed { error: "States.Runtime".to_owned(), cause };
    assert_eq!(names(&world.task_ended(3, outcome)), ["load after 0 ms"]);
}

/// An execution that failed, as the store has it, and a redrive of it under way.
fn redriven(
    world: &mut World,
    machine: &Arc<StateMachine>,
) -> (Vec<Effect>, oneshot::Receiver<Result<Delivered, StoreError>>) {
    let (begun, _answer) = world.begin(machine);
    let Message::Loaded { outcome: Ok(Some(mut live)), .. } = replayed(machine, &begun) else {
        panic!("nothing begun")
    };
    live.standing = begun
        .into_iter()
        .find_map(|effect| match effect {
            Effect::Begin { progress, .. } => Some(progress.standing),
            _ => None,
        })
        .unwrap();
    assert!(matches!(live.standing, Standing::Ended { .. }));
    world.begin_written();
    if live.execution.status() == Status::Succeeded {
        world.clock.0.lock().unwrap().add_assign(SignedDuration::from_secs(5));
    }
    let (reply, answer) = oneshot::channel();
    let room = world.memory.clone().try_acquire_owned().unwrap();
    let redriving = Redriving { arn: ARN.into(), client_token: None, room, reply };
    assert_eq!(names(&world.handle(Message::Redrive(Box::new(redriving)))), ["load after 0 ms"]);
    (world.handle(Message::Loaded { arn: ARN.into(), outcome: Ok(Some(live)) }), answer)
}

#[test]
fn a_redrive_that_is_refused_writes_nothing() {
    let mut world = World::new(60);
    let (effects, mut answer) = redriven(&mut world, &machine(json!({"S": {"Type": "Succeed"}})));
    assert_eq!(names(&effects), Vec::<String>::new());
    assert_eq!(answer.try_recv().unwrap(), Ok(Delivered::Late));
    assert!(world.worker.slots.is_empty());
}

#[test]
fn what_is_redriven_and_fails_in_the_same_moment_has_ended_again() {
    let mut world = World::new(60);
    let (effects, _answer) = redriven(&mut world, &machine(json!({"F": {"Type": "Fail"}})));
    let progress = effects.iter().find_map(|effect| match effect {
        Effect::Write { progress, .. } => Some(progress),
        _ => None,
    });
    let progress = progress.unwrap();
    assert!(matches!(progress.standing, Standing::Ended { .. }), "{:?}", progress.standing);
    assert!(!progress.stands_as_before && !progress.rows.is_empty());
}

#[test]
fn what_was_let_in_without_room_leaves_as_soon_as_it_only_waits() {
    let mut world = World::new(60);
    let resource = "arn:aws:states:::aws-sdk:sqs:sendMessage.waitForTaskToken";
    let parameters = json!({"T.$": "$$.Task.Token"});
    let beats =
        json!({"Type": "Task", "Resource": resource, "Parameters": parameters, "HeartbeatSeconds": 60, "End": true});
    let machine = machine(json!({"T": beats}));
    let (mut begun, _answer) = world.begin(&machine);
    world.begin_written();
    begun.extend(world.task_ended(3, TaskOutcome::Submitted(json!({}))));
    world.written(Ok(()));
    assert_eq!(names(&world.handle(Message::MakeRoom)), ["evicted true"]);
    let (effects, mut answer) = world.deliver(Input::TaskHeartbeat { event_id: 3 });
    assert_eq!(names(&effects), ["load after 0 ms"]);
    let mut effects = world.handle(replayed(&machine, &begun));
    effects.extend(world.written(Ok(())));
    assert_eq!(names(&effects).last().unwrap(), "evicted true", "{:?}", names(&effects));
    assert!(matches!(answer.try_recv().unwrap(), Ok(Delivered::Taken(_))));
    assert!(world.worker.slots.is_empty() && world.worker.timers.is_empty());
}

#[test]
fn room_is_made_whatever_stale_entries_there_are() {
    let mut world = World::new(3600);
    let beaten = asked();
    world.begin(&beaten);
    world.begin_written();
    world.task_ended(3, TaskOutcome::Submitted(json!({})));
    world.written(Ok(()));
    // It rests anew each time, and is idle anew.
    for _ in 0..200 {
        world.clock.0.lock().unwrap().add_assign(SignedDuration::from_secs(1));
        world.deliver(Input::TaskHeartbeat { event_id: 3 });
    }
    assert!(world.worker.evictions.len() > 64);
    assert_eq!(names(&world.handle(Message::MakeRoom)), ["evicted false"]);
}

#[test]
fn who_watches_no_more_is_forgotten() {
    let mut world = World::new(60);
    for number in 0..1000 {
        let (reply, _gone) = oneshot::channel();
        let (watching, _watched) = oneshot::channel();
        let arn = format!("{ARN}-{number}");
        world.handle(Message::Watch { arn: arn.as_str().into(), watching, reply });
    }
    assert!(world.worker.watchers.len() <= WATCHED, "{}", world.worker.watchers.len());
}
