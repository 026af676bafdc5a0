//! Where work is done that computes for long or blocks.

use tokio::runtime::Handle;

/// Where work is done that computes for long or blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Threads {
    /// On threads of their own, beside those of the runtime.
    Many,
    /// In the one thread of the runtime, so that only the simulator's seed decides what comes after what.
    #[cfg(feature = "simulator")]
    One,
}

/// The work panicked, or the runtime is ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Panicked;

impl Threads {
    /// Does work that waits for nothing.
    pub(crate) async fn run<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Panicked> {
        match self {
            Threads::Many => tokio::task::spawn_blocking(work).await.map_err(|_| Panicked),
            #[cfg(feature = "simulator")]
            Threads::One => std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).map_err(|_| Panicked),
        }
    }

    /// Does work that waits now and then.
    pub(crate) async fn block_on<T: Send + 'static>(
        self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Panicked> {
        match self {
            Threads::Many => {
                let runtime = Handle::current();
                tokio::task::spawn_blocking(move || runtime.block_on(work)).await.map_err(|_| Panicked)
            }
            #[cfg(feature = "simulator")]
            Threads::One => Ok(work.await),
        }
    }
}
