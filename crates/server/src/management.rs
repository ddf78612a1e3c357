//! Health and metrics, on a port of their own.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use countersign_service::Provider;
use metrics_exporter_prometheus::PrometheusHandle;

/// What the management endpoints are given.
pub struct Management {
    /// The use cases.
    pub provider: Arc<Provider>,
    /// The metrics.
    pub metrics: PrometheusHandle,
}

/// Every route of the management listener.
pub fn routes(routes: &mut ServiceConfig) {
    routes
        .route("/healthz", web::get().to(healthz))
        .route("/readyz", web::get().to(readyz))
        .route("/metrics", web::get().to(metrics));
}

/// The process is up.
async fn healthz() -> impl Responder {
    HttpResponse::Ok().body("ok\n")
}

/// The stores answer within two seconds.
async fn readyz(management: Data<Management>) -> impl Responder {
    let answer = tokio::time::timeout(Duration::from_secs(2), management.provider.check_stores()).await;
    match answer {
        Ok(Ok(())) => HttpResponse::Ok().body("ready\n"),
        Ok(Err(error)) => {
            tracing::warn!(%error, "not ready");
            HttpResponse::ServiceUnavailable().body("a store does not answer\n")
        }
        Err(_) => HttpResponse::ServiceUnavailable().body("a store does not answer in time\n"),
    }
}

/// Prometheus text format.
async fn metrics(management: Data<Management>) -> impl Responder {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(management.metrics.render())
}
