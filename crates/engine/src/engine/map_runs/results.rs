//! A map run ends: its result, and what is exported of it.

use execution::{
    MapRunFailure, Status,
    map_run::{
        Count, Destination, MapRunStatus, OutputType, Transformation,
        results::{Group, ResultFile, pending, values},
    },
};
use serde_json::Value;

use super::{super::Shared, PAGE, to_the_millisecond};
use crate::ports::{MapRunEnd, MapRunRecord, ObjectToPut, StoreError};

/// Bytes of one exported file; more begin another. AWS's limit is 5 GB.
const FILE_BYTES: usize = 32 << 20;

/// How a run ends. Exporting the same again changes nothing.
pub(super) async fn end(shared: &Shared, run: &MapRunRecord, status: MapRunStatus) -> Result<MapRunEnd, StoreError> {
    let mut end = MapRunEnd {
        status,
        result: None,
        failure: run.standing.failure.clone(),
        results_written: Count::default(),
        at: to_the_millisecond(shared.clock.now()),
    };
    let writing = run.specification.writing.as_ref();
    let transformation = writing.map_or(Transformation::Compact, |writing| writing.transformation);
    let failure = match writing.and_then(|writing| Some((writing.destination.as_ref()?, writing.output_type))) {
        Some((destination, output_type)) => {
            let mut export = Export { shared, run, destination, output_type, files: Vec::new() };
            match export.all(transformation).await? {
                Ok(()) => {
                    let total = run.standing.counts.total();
                    let pending = run.standing.counts.pending;
                    end.results_written = Count {
                        executions: total.executions.saturating_sub(pending.executions),
                        items: total.items.saturating_sub(pending.items),
                    };
                    end.result = Some(run.specification.exported(destination));
                    None
                }
                Err(failure) => Some(failure),
            }
        }
        None if status == MapRunStatus::Succeeded => match collect(shared, run, transformation).await? {
            Ok(result) => {
                end.result = Some(result);
                None
            }
            Err(failure) => Some(failure),
        },
        None => None,
    };
    match (failure, status) {
        (Some(failure), MapRunStatus::Succeeded) => {
            end.status = MapRunStatus::Failed;
            end.failure = Some(failure);
        }
        (Some(failure), _) => {
            tracing::warn!(
                arn = run.specification.arn,
                ?failure,
                "the results of a map run that failed were not exported"
            );
        }
        (None, _) => {}
    }
    if end.status != MapRunStatus::Succeeded {
        end.result = None;
    }
    Ok(end)
}

/// The results of all children, as far as a Map's result may be long.
async fn collect(
    shared: &Shared,
    run: &MapRunRecord,
    transformation: Transformation,
) -> Result<Result<Value, MapRunFailure>, StoreError> {
    let (mut from, mut bytes, mut all) = (0, 0_usize, Vec::new());
    loop {
        let page = shared.store.ended_children(run.number, from, PAGE).await?;
        let is_last = page.len() < PAGE;
        for (number, child) in page {
            from = number.saturating_add(1);
            for value in values(&run.specification.state_machine_arn, &child, transformation) {
                bytes = bytes.saturating_add(value.to_string().len());
                all.push(value);
            }
            if bytes > run.specification.quotas.payload_bytes {
                return Ok(Err(MapRunFailure::data_limit(&run.specification.state_name)));
            }
        }
        if is_last {
            return Ok(Ok(Value::Array(all)));
        }
    }
}

/// Results on their way to files.
struct Export<'run> {
    shared: &'run Shared,
    run: &'run MapRunRecord,
    destination: &'run Destination,
    output_type: OutputType,
    /// Those written: group, key and size.
    files: Vec<(Group, String, usize)>,
}

impl Export<'_> {
    async fn all(&mut self, transformation: Transformation) -> Result<Result<(), MapRunFailure>, StoreError> {
        for group in [Group::Succeeded, Group::Failed, Group::Pending] {
            if let Err(failure) = self.group(group, transformation).await? {
                return Ok(Err(failure));
            }
        }
        let (key, body) = self.run.specification.manifest(self.destination, &self.files);
        Ok(self.put(key, body).await)
    }

    async fn group(
        &mut self,
        group: Group,
        transformation: Transformation,
    ) -> Result<Result<(), MapRunFailure>, StoreError> {
        let (mut from, mut number, mut file) = (0, 0, ResultFile::default());
        loop {
            let (page, next) = self.page(group, transformation, from).await?;
            for value in page {
                file.push(&value, self.output_type);
                if file.len() >= FILE_BYTES {
                    if let Err(failure) = self.close(group, number, std::mem::take(&mut file)).await {
                        return Ok(Err(failure));
                    }
                    number += 1;
                }
            }
            match next {
                Some(next) => from = next,
                None if file.is_empty() => return Ok(Ok(())),
                None => return Ok(self.close(group, number, file).await),
            }
        }
    }

    /// Values of a group, and where the next page begins.
    async fn page(
        &self,
        group: Group,
        transformation: Transformation,
        from: u64,
    ) -> Result<(Vec<Value>, Option<u64>), StoreError> {
        let next = |count: usize, last: Option<u64>| last.filter(|_| count == PAGE).map(|last| last.saturating_add(1));
        if group == Group::Pending {
            let page = self.shared.store.pending_children(self.run.number, from, PAGE).await?;
            let next = next(page.len(), page.last().map(|(number, _)| *number));
            return Ok((page.iter().map(|(_, input)| pending(input)).collect(), next));
        }
        let page = self.shared.store.ended_children(self.run.number, from, PAGE).await?;
        let next = next(page.len(), page.last().map(|(number, _)| *number));
        let of_group = page
            .iter()
            .map(|(_, child)| child)
            .filter(|child| (child.ended.status == Status::Succeeded) == (group == Group::Succeeded));
        let machine = &self.run.specification.state_machine_arn;
        Ok((of_group.flat_map(|child| values(machine, child, transformation)).collect(), next))
    }

    async fn close(&mut self, group: Group, number: usize, file: ResultFile) -> Result<(), MapRunFailure> {
        let key = self.run.specification.file_key(self.destination, group, number, self.output_type);
        let body = file.finish(self.output_type);
        let size = body.len();
        self.put(key.clone(), body).await?;
        self.files.push((group, key, size));
        Ok(())
    }

    async fn put(&self, key: String, body: String) -> Result<(), MapRunFailure> {
        let object = ObjectToPut {
            state_machine_arn: self.run.specification.state_machine_arn.clone(),
            bucket: self.destination.bucket.clone(),
            key,
            body,
        };
        self.shared.executor.put_object(object).await.map_err(MapRunFailure::of_writer)
    }
}
