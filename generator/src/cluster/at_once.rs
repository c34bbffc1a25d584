//! The same work for several nodes at once: most of it is waiting for their machines.

use std::thread;

use anyhow::{Result, anyhow};

/// Does `work` for every item, a thread each, and each to its end. The results are in the
/// items' order.
pub(super) fn at_once<I: Send, T: Send>(
    items: impl IntoIterator<Item = I>,
    work: impl Fn(I) -> Result<T> + Sync,
) -> Vec<Result<T>> {
    let work = &work;
    thread::scope(|scope| {
        let threads: Vec<_> = items
            .into_iter()
            .map(|item| scope.spawn(move || work(item)))
            .collect();
        threads
            .into_iter()
            .map(|thread| {
                let ended = thread.join();
                ended.unwrap_or_else(|_| Err(anyhow!("a thread broke off")))
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::panic)]
    fn results_are_in_order_and_one_that_breaks_off_is_an_error() {
        let results = at_once([3, 1, 2], |number| match number {
            1 => panic!("as a bug would"),
            number => Ok(number * 2),
        });
        let told: Vec<String> = results
            .into_iter()
            .map(|result| match result {
                Ok(number) => number.to_string(),
                Err(error) => error.to_string(),
            })
            .collect();
        assert_eq!(told, ["6", "a thread broke off", "4"]);
    }
}
