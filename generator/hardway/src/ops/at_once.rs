//! The same work for several nodes at once: most of it is waiting for their machines.

use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Does `work` for every item, a thread each, and each to its end. What came of it is in
/// the items' order.
pub(super) fn at_once<I: Send, T: Send>(
    items: impl IntoIterator<Item = I>,
    work: impl Fn(I) -> T + Sync,
) -> Vec<T> {
    at_most(usize::MAX, items, work)
}

/// The same for no more than `limit` items at a time, in their order.
pub(super) fn at_most<I: Send, T: Send>(
    limit: usize,
    items: impl IntoIterator<Item = I>,
    work: impl Fn(I) -> T + Sync,
) -> Vec<T> {
    let items: Vec<I> = items.into_iter().collect();
    let count = items.len();
    let queue = Mutex::new(items.into_iter().enumerate());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let worker = || {
        let mut done = Vec::new();
        while let Some((index, item)) = next() {
            done.push((index, work(item)));
        }
        done
    };
    let mut done: Vec<(usize, T)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..count.min(limit)).map(|_| scope.spawn(worker)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// Each of two waits for the other's word; one after the other, the first would wait in vain.
    #[test]
    fn all_work_at_once_and_what_came_of_it_is_in_order() {
        let ((to_first, first), (to_second, second)) = (mpsc::channel(), mpsc::channel());
        let items = [("first", to_second, first), ("second", to_first, second)];
        let told = at_once(items, |(name, other, own)| {
            other.send(name).unwrap();
            own.recv_timeout(Duration::from_secs(60)).unwrap()
        });
        assert_eq!(told, ["second", "first"]);
    }

    #[test]
    fn no_more_than_the_limit_work_at_a_time() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let done = at_most(2, 0..6, |item| {
            most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
            thread::sleep(Duration::from_millis(20));
            now.fetch_sub(1, SeqCst);
            item
        });
        assert_eq!(done, [0, 1, 2, 3, 4, 5]);
        assert_eq!(most.load(SeqCst), 2);
    }
}
