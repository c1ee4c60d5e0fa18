//! An answer that may be there already. A store in memory answers in place, without a future's
//! allocation and wake-up; a store that does I/O gives a future. It must not know what is answered.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

/// An outcome now, or a future of it. A future may be dropped to stop waiting; what it began may
/// still happen.
pub enum Pending<T> {
    Ready(T),
    Later(BoxFuture<'static, T>),
}

impl<T: Send + 'static> Pending<T> {
    /// Applies `convert` to the outcome, at once if it is there.
    pub fn map<U: Send + 'static>(
        self,
        convert: impl FnOnce(T) -> U + Send + 'static,
    ) -> Pending<U> {
        match self {
            Pending::Ready(outcome) => Pending::Ready(convert(outcome)),
            Pending::Later(later) => Pending::Later(later.map(convert).boxed()),
        }
    }

    /// Goes on with the outcome, at once if it is there.
    pub fn then<U: Send + 'static>(
        self,
        next: impl FnOnce(T) -> Pending<U> + Send + 'static,
    ) -> Pending<U> {
        match self {
            Pending::Ready(outcome) => next(outcome),
            Pending::Later(later) => {
                Pending::Later(async move { next(later.await).resolve().await }.boxed())
            }
        }
    }

    /// Waits for the outcome.
    pub async fn resolve(self) -> T {
        match self {
            Pending::Ready(outcome) => outcome,
            Pending::Later(later) => later.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_forms_give_the_same_outcome() {
        assert_eq!(Pending::Ready(2).map(|n| n * 2).resolve().await, 4);
        let later = Pending::Later(async { 2 }.boxed());
        assert_eq!(later.map(|n| n * 2).resolve().await, 4);
        for first in [Pending::Ready(2), Pending::Later(async { 2 }.boxed())] {
            assert_eq!(first.then(|n| Pending::Ready(n * 3)).resolve().await, 6);
        }
    }
}
