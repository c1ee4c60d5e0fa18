//! A pool's protection as its calls see it, in virtual time.

use super::*;
use crate::telemetry::Metrics;

fn settings() -> ProtectionSettings {
    ProtectionSettings {
        retry: RetrySettings {
            attempts_max: 3,
            backoff_min: Duration::from_millis(20),
            backoff_max: Duration::from_secs(2),
            budget_percent: 20,
            budget_min_per_second: 1,
        },
        breaker: BreakerSettings { failures_max: 3, open: Duration::from_secs(5) },
        barrier: BarrierSettings {
            crashes_max: 2,
            window: Duration::from_secs(60),
            taint: Duration::from_secs(30),
        },
    }
}

fn protection() -> (Protection, Arc<PoolMetrics>) {
    let metrics = Metrics::new().pool("default");
    (Protection::new(Arc::from("default"), settings(), metrics.clone()), metrics)
}

fn worker(generation: u64) -> WorkerId {
    WorkerId { slot: 0, generation }
}

fn value(json: &'static str) -> Value {
    Value::from_json(json).unwrap()
}

fn subject(parameters: &Value) -> Subject<'_> {
    Subject { framework: "python", operation: "embed", parameters }
}

fn refusals(metrics: &PoolMetrics, reason: &str) -> u64 {
    metrics.refusals().find(|(name, _)| *name == reason).unwrap().1
}

#[tokio::test(start_paused = true)]
async fn workers_lost_in_a_row_open_the_circuit_and_one_probe_closes_it() {
    let ((protection, metrics), parameters) = (protection(), value("{}"));
    let call = subject(&parameters);
    for generation in 1..=3 {
        assert!(!protection.admit(call).unwrap());
        protection.lost(worker(generation));
    }
    let error = protection.admit(call).unwrap_err();
    assert_eq!(error.status(), Status::Unavailable);
    assert_eq!(error.details()["circuit"], "open");
    assert_eq!(error.details()["retry_after_ms"], 5000);
    assert_eq!((protection.report().circuit, refusals(&metrics, "circuit")), ("open", 1));
    tokio::time::advance(Duration::from_secs(5)).await;
    assert!(protection.admit(call).unwrap(), "the first goes as the probe");
    assert!(protection.admit(call).is_err(), "and no second beside it");
    protection.probe_ended();
    assert!(protection.admit(call).unwrap(), "a probe that says nothing makes room for another");
    protection.answered(call);
    assert!(!protection.admit(call).unwrap());
    assert_eq!(protection.report().circuit, "closed");
    assert!(!protection.alert.load(Ordering::Acquire), "calls pass without the lock again");
}

#[tokio::test(start_paused = true)]
async fn a_worker_counts_once_however_many_calls_it_held_and_an_answer_ends_the_row() {
    let ((protection, _), parameters) = (protection(), value("{}"));
    for generation in [1, 1, 1, 1, 2, 2] {
        protection.lost(worker(generation));
    }
    assert!(!protection.admit(subject(&parameters)).unwrap());
    protection.answered(subject(&parameters));
    for generation in [3, 4] {
        protection.lost(worker(generation));
        assert!(!protection.admit(subject(&parameters)).unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn what_crashes_its_worker_again_and_again_is_refused_with_these_parameters_only() {
    let ((protection, metrics), poison) = (protection(), value(r#"{"a":1}"#));
    let other = value(r#"{"a":2}"#);
    for _ in 0..2 {
        protection.admit(subject(&poison)).unwrap();
        protection.crashed(subject(&poison));
    }
    let error = protection.admit(subject(&poison)).unwrap_err();
    assert_eq!(error.status(), Status::Unavailable);
    assert_eq!(error.details()["barrier"], "crashed its worker 2 times");
    assert_eq!(error.details()["retry_after_ms"], 30_000);
    assert_eq!((protection.report().tainted, refusals(&metrics, "barrier")), (1, 1));
    assert!(protection.rest_before_retry(subject(&poison), 1).is_none());
    protection.admit(subject(&other)).unwrap();
    tokio::time::advance(Duration::from_secs(31)).await;
    protection.admit(subject(&poison)).unwrap();
    assert_eq!(protection.report().tainted, 0);
    assert!(!protection.alert.load(Ordering::Acquire), "all is forgotten");
}

#[tokio::test(start_paused = true)]
async fn parameters_differ_by_their_attachments_too() {
    let (protection, _) = protection();
    let json = r#"{"a":{"$spb":{"attachment":0}}}"#;
    let of = |bytes: &'static [u8]| Value::new(json, vec![Attachment::Blob(bytes.into())]).unwrap();
    let key = |value: &Value| protection.key_of(subject(value));
    assert_eq!(key(&of(b"x")), key(&of(b"x")));
    assert_ne!(key(&of(b"x")), key(&of(b"y")));
}

#[tokio::test(start_paused = true)]
async fn retries_end_with_the_attempts_the_budget_or_an_open_circuit() {
    let ((protection, metrics), parameters) = (protection(), value("{}"));
    let call = subject(&parameters);
    let rest = protection.rest_before_retry(call, 1).unwrap();
    assert!((10..=20).contains(&rest.as_millis()), "{rest:?}");
    assert!(protection.rest_before_retry(call, 3).is_none(), "three were all");
    assert_eq!((metrics.retries.get(), metrics.retries_refused.get()), (1, 0));
    while protection.rest_before_retry(call, 1).is_some() {}
    assert_eq!((metrics.retries.get(), metrics.retries_refused.get()), (10, 1));
    (0..50).for_each(|_| drop(protection.admit(call)));
    assert!(protection.rest_before_retry(call, 1).is_some(), "calls have filled it again");
    (1..=3).for_each(|generation| protection.lost(worker(generation)));
    assert!(protection.rest_before_retry(call, 1).is_none());
    assert_eq!(metrics.retries_refused.get(), 1, "that was not the budget's doing");
}
