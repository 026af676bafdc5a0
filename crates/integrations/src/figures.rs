//! What is counted of messages to people and of calls of other people's APIs.

use engine::measure::{By, ByName, Counter};

engine::label! {
    /// Whether a message was delivered.
    pub enum DeliveryResult {
        /// It was.
        Delivered = "delivered",
        /// It was not, with all tries that there are.
        Failed = "failed",
    }
}

engine::label! {
    /// How an `http:invoke` Task ended.
    pub enum HttpResult {
        /// Well.
        Ok = "ok",
        /// There were too many: 429.
        Throttled = "throttled",
        /// It was not let in, 401 or 403, or may not be called from here.
        AccessDenied = "access_denied",
        /// Any other error.
        Other = "other",
    }
}

engine::figures! {
    /// What is counted of messages and calls, since the process began.
    pub struct Figures {
        /// Messages to people, by channel and by what became of them.
        channel_deliveries: ByName<By<DeliveryResult, Counter>> = "rectify_channel_deliveries_total" ["channel", "result"];
        /// Tasks that called other people's APIs (`http:invoke`), by how they ended.
        http_requests: By<HttpResult, Counter> = "rectify_http_requests_total" ["result"];
    }
}

impl HttpResult {
    /// By the error of a Task; none is well.
    pub(crate) fn of(error: Option<&str>) -> HttpResult {
        match error {
            None => HttpResult::Ok,
            Some("States.Http.StatusCode.429") => HttpResult::Throttled,
            Some("States.Http.StatusCode.401" | "States.Http.StatusCode.403" | "States.Http.AccessDenied") => {
                HttpResult::AccessDenied
            }
            Some(_) => HttpResult::Other,
        }
    }
}
