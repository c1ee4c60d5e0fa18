//! The hub's promises: filters, bounds, counted drops, an end that loses nothing, and no secret.

use super::*;

fn hub(queue_max: usize) -> Arc<LogHub> {
    LogHub::new(queue_max, Counter::default())
}

fn all() -> LogFilter {
    LogFilter { level: Level::Debug, target_prefix: String::new() }
}

fn said(batch: &LogBatch) -> Vec<&str> {
    batch.records.iter().map(Told::message).collect()
}

fn messages(subscription: &LogSubscription) -> Vec<String> {
    std::iter::from_fn(|| subscription.try_next())
        .flat_map(|batch| batch.records)
        .map(|record| record.message().to_owned())
        .collect()
}

#[test]
fn a_filter_chooses_by_level_and_target() {
    let hub = hub(10);
    let grave = hub.subscribe(LogFilter { level: Level::Warning, target_prefix: String::new() });
    let python = hub.subscribe(LogFilter { level: Level::Debug, target_prefix: "my.".into() });
    hub.publish(Record::new(Level::Error, "pool", "a"));
    hub.publish(Record::new(Level::Debug, "my.module", "b"));
    hub.publish(Record::new(Level::Info, "pool", "c"));
    assert_eq!(messages(&grave), ["a"]);
    assert_eq!(messages(&python), ["b"]);
}

#[test]
fn it_listens_only_while_somebody_does() {
    let hub = hub(10);
    assert!(!hub.listens(Level::Error));
    let first = hub.subscribe(LogFilter { level: Level::Warning, target_prefix: String::new() });
    let second = hub.subscribe(all());
    assert!(hub.listens(Level::Debug));
    drop(second);
    assert!(!hub.listens(Level::Info) && hub.listens(Level::Warning));
    drop(first);
    assert!(!hub.listens(Level::Error));
}

#[test]
fn a_full_queue_drops_and_counts() {
    let dropped = Counter::default();
    let hub = LogHub::new(2, dropped.clone());
    let subscription = hub.subscribe(all());
    for number in 0..5 {
        hub.publish(Record::new(Level::Info, "t", number.to_string()));
    }
    assert_eq!(dropped.get(), 3);
    let first = subscription.try_next().unwrap();
    assert_eq!((said(&first), first.dropped), (vec!["0", "1"], 3));
    hub.publish(Record::new(Level::Info, "t", "after"));
    let rest = subscription.try_next().unwrap();
    assert_eq!((said(&rest), rest.dropped), (vec!["after"], 0));
}

#[tokio::test]
async fn closing_hands_out_the_rest_and_then_ends() {
    let hub = hub(10);
    let subscription = hub.subscribe(all());
    hub.publish(Record::new(Level::Info, "t", "last"));
    hub.close();
    hub.publish(Record::new(Level::Info, "t", "too late"));
    let rest = subscription.next_batch(LogBatch::default()).await.unwrap();
    assert_eq!(said(&rest), ["last"]);
    assert!(subscription.next_batch(LogBatch::default()).await.is_none());
    assert!(hub.subscribe(all()).next_batch(LogBatch::default()).await.is_none());
}

#[tokio::test]
async fn a_waiting_reader_wakes_for_a_record_and_for_the_end() {
    let hub = hub(10);
    let subscription = hub.subscribe(all());
    let publish = async {
        tokio::task::yield_now().await;
        hub.publish(Record::new(Level::Info, "t", "one"));
    };
    let (item, ()) = tokio::join!(subscription.next_batch(LogBatch::default()), publish);
    assert_eq!(item.unwrap().records[0].message(), "one");
    let close = async {
        tokio::task::yield_now().await;
        hub.close();
    };
    let (end, ()) = tokio::join!(subscription.next_batch(LogBatch::default()), close);
    assert!(end.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_batch_has_all_that_came_meanwhile_in_order() {
    let hub = hub(100);
    let subscription = hub.subscribe(all());
    let publish = |numbers: std::ops::Range<usize>| {
        numbers.for_each(|n| hub.publish(Record::new(Level::Info, "t", n.to_string())));
    };
    publish(0..1);
    assert_eq!(subscription.next_batch(LogBatch::default()).await.unwrap().records.len(), 1);
    publish(1..40);
    subscription.gather().await;
    let batch = subscription.next_batch(LogBatch::default()).await.unwrap();
    assert_eq!(said(&batch), (1..40).map(|n| n.to_string()).collect::<Vec<_>>());
}

/// Time stands still here unless nothing else can happen, so what passes says who was waited for.
#[tokio::test(start_paused = true)]
async fn nobody_gathers_once_the_queue_is_half_full_or_the_hub_closed() {
    let hub = hub(10);
    let subscription = hub.subscribe(all());
    let began = tokio::time::Instant::now();
    for number in 0..5 {
        hub.publish(Record::new(Level::Info, "t", number.to_string()));
    }
    subscription.gather().await;
    assert!(began.elapsed().is_zero(), "half a queue waits");
    subscription.next_batch(LogBatch::default()).await.unwrap();
    subscription.gather().await;
    assert!(!began.elapsed().is_zero(), "nothing came");
    let closed = tokio::time::Instant::now();
    hub.close();
    subscription.gather().await;
    assert!(closed.elapsed().is_zero(), "nothing comes any more");
    assert!(subscription.next_batch(LogBatch::default()).await.is_none());
}

#[test]
fn no_canary_passes() {
    let hub = hub(10);
    hub.redactor().hide("canary-7391");
    let subscription = hub.subscribe(all());
    hub.publish(
        Record::new(Level::Info, "stdout", "KEY=canary-7391")
            .with("url", "https://canary-7391@host")
            .with("api_key", "another-canary"),
    );
    let text = subscription.try_next().unwrap().records[0].to_json().to_string();
    assert!(!text.contains("canary"), "{text}");
}
