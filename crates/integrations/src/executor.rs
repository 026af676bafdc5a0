//! Performs tasks: the engine's `TaskExecutor`.

/// Performs tasks.
pub struct Executor {
    // filled in by this crate
}
