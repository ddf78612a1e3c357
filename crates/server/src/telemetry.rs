//! Logs and metrics. Neither ever holds a secret, a code, a token, a password, a query or a full number.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use countersign_model::FlowId;
use countersign_service::flow_tag;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing::Span;
use tracing_actix_web::{RequestId, RootSpanBuilder};
use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Starts logging to standard error; `RUST_LOG` chooses what, `info` by default.
pub fn start_log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,actix_server=warn"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start, in tests, keeps the first.
    let _ = match format {
        LogFormat::Json => log.json().flatten_event(true).try_init(),
        LogFormat::Text => log.try_init(),
    };
}

/// Starts collecting metrics.
pub fn start_metrics() -> Result<PrometheusHandle, String> {
    PrometheusBuilder::new().install_recorder().map_err(|error| error.to_string())
}

/// The span of a request: its id, method, route and, in a flow, the half of the flow's id that may be shown.
/// Never the path as it was sent, nor the query.
pub struct RequestSpan;

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let route = request.match_pattern().unwrap_or_else(|| "unmatched".to_owned());
        // The span begins before the route is taken: its variables are not told yet.
        let mut segments = route.split('/').zip(request.path().split('/'));
        let flow = segments.find(|(name, _)| *name == "{flow}").and_then(|(_, text)| text.parse::<FlowId>().ok());
        let id = actix_web::HttpMessage::extensions(request).get::<RequestId>().map(ToString::to_string);
        tracing::info_span!(
            "request",
            request_id = id,
            method = %request.method(),
            route,
            flow = flow.map(flow_tag),
            status = tracing::field::Empty,
        )
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let status = match outcome {
            Ok(response) => response.status().as_u16(),
            Err(error) => error.as_response_error().status_code().as_u16(),
        };
        span.record("status", status);
        metrics::counter!("countersign_requests_total", "status" => status.to_string()).increment(1);
        tracing::debug!(parent: &span, status, "answered");
    }
}
