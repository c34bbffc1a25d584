//! The same work for several nodes at once: most of it is waiting for their machines.

use std::panic::resume_unwind;
use std::thread;

/// Does `work` for every item, a thread each, and each to its end. What came of it is in
/// the items' order.
pub(super) fn at_once<I: Send, T: Send>(
    items: impl IntoIterator<Item = I>,
    work: impl Fn(I) -> T + Sync,
) -> Vec<T> {
    let work = &work;
    thread::scope(|scope| {
        let threads: Vec<_> = items
            .into_iter()
            .map(|item| scope.spawn(move || work(item)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    })
}

#[cfg(test)]
mod tests {
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
}
