//! Children of a map run begin and go on.

use std::sync::Arc;

use asl::StateMachine;
use tokio::{sync::oneshot, task::JoinSet};

use super::{
    super::{
        Shared,
        driver::processor,
        executions::to_the_millisecond,
        express,
        message::{Delivered, Message, Redriving},
        stopping,
    },
    PAGE, PAUSE,
};
use crate::ports::{ExecutionKind, ExpressChild, MapRunChild, MapRunRecord, StoreError};

/// Begins so many of the children that wait.
pub(super) async fn begin(shared: &Arc<Shared>, run: &MapRunRecord, limit: u64) -> Result<(), StoreError> {
    let now = to_the_millisecond(shared.clock.now());
    // Whatever may fail of what Express children need, before the store has them as running: nothing begins them a second time.
    let express = match run.specification.is_express {
        true => Some(express_processor(shared, run).await?),
        false => None,
    };
    let begun = shared.store.begin_children(run.number, limit, now).await?;
    if let Some(processor) = express {
        for ExpressChild { number, new } in begun.express {
            express::begin_kept(shared, number, new, processor.clone()).await?;
        }
    }
    begun.to_take_up.iter().for_each(|_| shared.options.figures.started(ExecutionKind::Standard));
    for child in begun.to_take_up {
        // Waits while there is no room in memory: that is the back-pressure.
        shared.take_up(&child).await?;
    }
    let mut redrives = JoinSet::new();
    for child in begun.to_redrive {
        redrives.spawn(redrive(shared.clone(), child));
    }
    // One that fails is redriven later, and does not break off the others.
    let mut all = Ok(());
    while let Some(redriven) = redrives.join_next().await {
        let redriven = redriven.unwrap_or_else(|_| {
            let text = "redriving a map run's child panicked; this is a bug: please report it";
            Err(StoreError::Damaged(text.to_owned()))
        });
        all = all.and(redriven);
    }
    all
}

/// What the Express children of a run run.
async fn express_processor(shared: &Shared, run: &MapRunRecord) -> Result<Arc<StateMachine>, StoreError> {
    let (hash, definition) = shared.store.map_run_definition(run.number).await?;
    let machine = shared.machines.of_definition(hash, &definition)?;
    let child = MapRunChild {
        arn: run.specification.arn.clone(),
        state_name: run.specification.state_name.clone(),
        is_express: true,
    };
    processor(&machine, &child)
}

async fn begin_express(shared: &Arc<Shared>, child: ExpressChild, machine: &StateMachine) -> Result<(), StoreError> {
    let ExpressChild { number, new } = child;
    let of = new.map_run.as_ref().ok_or_else(|| StoreError::Damaged(format!("`{}` is no map run's child", new.arn)))?;
    let processor = processor(machine, of)?;
    express::begin_kept(shared, number, new, processor).await
}

/// A Standard child goes on from where it ended badly, if it can.
async fn redrive(shared: Arc<Shared>, arn: String) -> Result<(), StoreError> {
    if !is_redrivable(&shared, &arn).await? {
        return shared.store.child_is_not_redrivable(&arn).await;
    }
    let room = shared.room().await?;
    let (reply, answer) = oneshot::channel();
    let redriving = Redriving { arn: arn.as_str().into(), client_token: None, room, reply };
    shared.send(&arn, Message::Redrive(Box::new(redriving))).await?;
    match answer.await.unwrap_or_else(|_| Err(stopping()))? {
        Delivered::Taken(_) => Ok(()),
        // It came to its end in between, or its history is full. Only the store knows.
        Delivered::Late | Delivered::HandedOver(_) if is_redrivable(&shared, &arn).await? => {
            Err(StoreError::Unavailable(format!("the child `{arn}` was about to end: it is redriven later")))
        }
        Delivered::Late | Delivered::HandedOver(_) => shared.store.child_is_not_redrivable(&arn).await,
    }
}

async fn is_redrivable(shared: &Shared, arn: &str) -> Result<bool, StoreError> {
    let there = shared.store.execution(arn).await?;
    Ok(there.is_some_and(|there| shared.not_redrivable(&there).is_none()))
}

/// Recovery: begins anew the Express children that the last process had begun and not ended.
pub(super) async fn begin_anew(shared: &Arc<Shared>) {
    let mut after = 0;
    loop {
        match shared.store.express_children(after, PAGE).await {
            Ok(page) if page.is_empty() => return,
            Ok(page) => {
                for (child, definition) in page {
                    after = child.number;
                    let begun = match shared.machines.of_definition(child.new.definition, &definition) {
                        Ok(machine) => begin_express(shared, child, &machine).await,
                        Err(error) => Err(error),
                    };
                    if let Err(error) = begun {
                        tracing::error!(%error, "an Express child of a map run can't be begun anew");
                    }
                }
            }
            Err(error) => {
                tracing::error!(%error, "Express children of map runs can't be begun anew; trying again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
