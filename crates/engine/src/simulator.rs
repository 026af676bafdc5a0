//! The whole engine in one thread, from a seed: for tests.
//!
//! The real engine on the real SQL (a database in memory) runs in a runtime of one thread whose time is simulated, so that an hour takes
//! milliseconds. A seed makes state machines (`machines`), those who use the engine (`clients`), those who perform its tasks (`tasks`),
//! and what goes wrong: a disk that fails (`disk`), crashes, clocks that jump, answers that are lost, late or doubled. After a number
//! of such lives the weather is calm, everything has to end, and `oracle` says what has to be true of it. The same seed is the same
//! run: [`Report::trace`] is a hash of all that happened.
//!
//! ```text
//! cargo run --release -p engine --features simulator --example simulate -- --seeds 10000
//! cargo run -p engine --features simulator --example simulate -- --seed 17 --trace
//! ```

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "it is a test: what can't be is to end it"
)]

mod clients;
mod disk;
mod items;
mod jobs;
mod machines;
mod oracle;
mod random;
mod reference;
mod tasks;
mod world;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use execution::Quotas;
use tokio::runtime::{Builder, Runtime};

use self::{
    disk::WorldDisk,
    machines::{ACCOUNT, ACTIVITY, REGION, ROLE, Use},
    tasks::WorldExecutor,
    world::{World, WorldClock},
};
use crate::{
    Engine, Options,
    engine::{MachineType, NewMachine},
    ports::StoreError,
    sqlite::SqliteStore,
};

/// A life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// It crashes.
    Crashed,
    /// It becomes calm, and everything ends.
    Calmed,
    /// It is calm from the beginning.
    Last,
}

/// How long everything may take to end once it is calm, in simulated time.
const CALM_LIMIT: Duration = Duration::from_secs(3600);
/// Executions for all of which there is room in memory.
const ENOUGH: usize = 1000;
/// Workers of the activity.
const ACTIVITY_WORKERS: usize = 2;

/// Stores in memory are told apart by their numbers.
static STORES: AtomicU64 = AtomicU64::new(0);

/// What became of a seed.
#[derive(Clone, Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// A hash of all that happened: the same for the same seed.
    pub trace: u64,
    /// What was seen to be wrong: nothing, if all is well.
    pub violations: Vec<String>,
    /// How often what happened, faults among it (`fault: …`) and what the workers were told (`message: …`).
    pub counts: BTreeMap<&'static str, u64>,
    /// Simulated time.
    pub simulated: Duration,
}

/// Runs a seed; printed, with all that happens.
pub fn simulate(seed: u64, is_printed: bool) -> Report {
    crate::engine::take_counts();
    let name = format!("simulated-{}", STORES.fetch_add(1, Ordering::Relaxed));
    let store = SqliteStore::make_simulated(&name).expect("SQLite has memory");
    let world = Arc::new(World::new(seed, name, store, is_printed));
    let options = make(&world);
    let crashes = world.state().random.between(0, 2);
    for life in 0..=crashes {
        let life = if life == crashes { Life::Calmed } else { Life::Crashed };
        set_weather(&world, life);
        let runtime = runtime();
        runtime.block_on(live(&world, &options, life));
        drop(runtime);
    }
    // Express executions whose ends were not written are begun anew by the next process.
    let is_unfinished = !oracle::unfinished(&world.state(), true).is_empty();
    if is_unfinished {
        runtime().block_on(live(&world, &options, Life::Last));
    }
    let trace = oracle::check_end(&world);
    let mut state = world.state();
    let mut counts = std::mem::take(&mut state.counts);
    counts.extend(crate::engine::take_counts());
    Report { seed, trace, violations: std::mem::take(&mut state.violations), counts, simulated: state.elapsed() }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime needs nothing")
}

/// The machines, and the limits of the engine.
fn make(world: &World) -> Options {
    let mut guard = world.state();
    let state = &mut *guard;
    let first = state.random.chance(60);
    let kinds = [
        ("any0", Use::Any(first)),
        ("any1", Use::Any(!first)),
        ("nested", Use::Nested),
        ("express", Use::Express),
        ("response", Use::Response),
    ];
    state.machines = kinds.map(|(name, purpose)| machines::machine(&mut state.random, name, purpose)).into();
    for machine in state.machines.clone() {
        state.note(format_args!("{}: {}", machine.name, machine.definition));
    }
    state.weather.jumps = state.random.chance(25);
    Options {
        evict_after_seconds: state.random.pick(&[0, 5, 60]),
        executions_in_memory: state.random.pick(&[2, 5, ENOUGH]),
        tasks_at_once: state.random.pick(&[1, 2, 100]),
        quotas: Quotas::AWS,
        jobs_at_once: state.random.pick(&[1, 100]),
        ask_jobs_after_milliseconds: state.random.pick(&[0, 1000]),
        express_executions: state.random.pick(&[1, 100]),
        figures: Arc::default(),
        ended: None,
    }
}

fn set_weather(world: &World, life: Life) {
    let mut guard = world.state();
    let state = &mut *guard;
    let is_bad = state.random.chance(60);
    let chance = |random: &mut random::Random, most| if is_bad { random.between(0, most) } else { 0 };
    state.weather.write_fails = chance(&mut state.random, 15);
    state.weather.one_write_fails = chance(&mut state.random, 15);
    state.weather.read_fails = chance(&mut state.random, 10);
    state.weather.tasks = (state.random.between(0, 30), state.random.between(0, 20), state.random.between(0, 20));
    state.weather.write_milliseconds = state.random.pick(&[0, 3, 50]);
    state.weather.read_milliseconds = state.random.pick(&[0, 0, 10]);
    state.weather.is_calm = false;
    let at_commit = state.random.between(1, 40);
    state.weather.crash_at_commit = (life == Life::Crashed && state.random.chance(60)).then_some(at_commit);
    state.weather.crash_after = state.random.chance(50);
}

/// One life of the process: until it crashes, or, where it is the last, until all has ended.
async fn live(world: &Arc<World>, options: &Options, life: Life) {
    world.state().begin_life();
    world.note(format_args!("life"));
    live_until_its_end(world, options, life).await;
    world.state().end_life();
}

async fn live_until_its_end(world: &Arc<World>, options: &Options, life: Life) {
    let storm = Duration::from_millis(match world.state().random.between(0, 3) {
        0 => 50,
        1 => 1_000,
        2 => 4_000,
        _ => 12_000,
    });
    let living = async {
        let engine = loop {
            match start(world, options).await {
                Ok(engine) => break engine,
                Err(error) => world.note(format_args!("can't start: {error}")),
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        };
        take_up(world);
        let until = world.state().elapsed() + storm;
        while life != Life::Last && world.state().elapsed() < until {
            tokio::spawn(clients::act(world.clone()));
            world.pause(0, 4000).await;
        }
        if life == Life::Crashed {
            world.count("fault: crash at any time");
            world.note(format_args!("crash"));
        } else {
            let has_room = options.executions_in_memory == ENOUGH;
            calm(world, &engine, life, has_room).await;
        }
    };
    tokio::select! {
        biased;
        () = world.crashed.notified() => {}
        () = living => {}
    }
}

async fn start(world: &Arc<World>, options: &Options) -> Result<Engine, StoreError> {
    let clock = Arc::new(WorldClock(world.clone()));
    let disk = Arc::new(WorldDisk(world.clone()));
    let store = Arc::new(SqliteStore::open_simulated(&world.name, clock.clone(), disk)?);
    let executor = Arc::new(WorldExecutor(world.clone()));
    let engine = Engine::start_simulated(&store, executor, clock, options.clone()).await?;
    world.state().engine = Some(engine.clone());
    if !world.state().is_registered {
        register(world, &engine).await?;
        world.state().is_registered = true;
    }
    Ok(engine)
}

async fn register(world: &World, engine: &Engine) -> Result<(), StoreError> {
    let refused = |refusal| match refusal {
        crate::engine::Refusal::Store(error) => error,
        other => panic!("a machine is refused: {other}\n{:#?}", world.state().machines),
    };
    engine.create_activity(ACCOUNT, REGION, ACTIVITY.rsplit(':').next().unwrap_or_default()).await.map_err(refused)?;
    let machines = world.state().machines.clone();
    for machine in machines {
        let new = NewMachine {
            name: machine.name,
            definition: machine.definition.to_string(),
            role_arn: ROLE.to_owned(),
            machine_type: if machine.is_express { MachineType::Express } else { MachineType::Standard },
            ..NewMachine::default()
        };
        engine.create_state_machine(ACCOUNT, REGION, new).await.map_err(refused)?;
    }
    Ok(())
}

/// Those outside go on where the last life left them.
fn take_up(world: &Arc<World>) {
    for _ in 0..ACTIVITY_WORKERS {
        tokio::spawn(tasks::work(world.clone()));
    }
    answer_tokens(world);
    let again = world.clone();
    tokio::spawn(async move {
        clients::repeat_starts(&again).await;
        clients::repeat_events(&again).await;
    });
    world.state().ledger.watching = 0;
}

fn answer_tokens(world: &Arc<World>) {
    let tokens: Vec<String> = {
        let state = world.state();
        let tokens = state.ledger.tokens.iter();
        tokens.filter(|(_, token)| !token.is_settled).map(|(token, _)| token.clone()).collect()
    };
    for token in tokens {
        tokio::spawn(tasks::answer_token(world.clone(), token));
    }
}

/// Nothing goes wrong any more: everything has to end.
async fn calm(world: &Arc<World>, engine: &Engine, life: Life, has_room: bool) {
    {
        let mut state = world.state();
        state.note(format_args!("calm"));
        let weather = &mut state.weather;
        *weather = world::Weather { is_calm: true, write_milliseconds: 1, ..world::Weather::default() };
    }
    answer_tokens(world);
    clients::repeat_starts(world).await;
    clients::repeat_events(world).await;
    let until = world.state().elapsed() + CALM_LIMIT;
    loop {
        tokio::time::sleep(Duration::from_secs(30)).await;
        let unfinished = oracle::unfinished(&world.state(), life == Life::Last);
        if unfinished.is_empty() {
            break;
        }
        if world.state().elapsed() > until {
            return world.violation(format_args!("it never ends: {unfinished:?}"));
        }
        if has_room {
            oracle::check_timers(&mut world.state());
        }
        if world.state().random.chance(30) {
            oracle::look(world, engine).await;
        }
    }
    // What was under way for nobody, and every Express execution, is over by then.
    tokio::time::sleep(Duration::from_secs(400)).await;
    oracle::check_rest(world, engine).await;
}
