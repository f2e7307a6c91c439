//! The scheduler's locks, atomics and maps, and tokio's channels behind a wrapper: before each use the scheduler is asked
//! whether another task goes first.

pub use shuttle::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
pub use shuttle::sync::{Mutex, MutexGuard, PoisonError};
pub use shuttle_dashmap::{DashMap, Entry};

fn touch() {
    AtomicBool::new(false).load(Ordering::SeqCst);
}

#[derive(Default)]
pub struct Notify(tokio::sync::Notify);

impl Notify {
    pub fn notify_one(&self) {
        touch();
        self.0.notify_one();
    }

    pub async fn notified(&self) {
        touch();
        self.0.notified().await;
    }
}

pub mod broadcast {
    pub use tokio::sync::broadcast::error;
    use tokio::sync::broadcast::error::{SendError, TryRecvError};

    use super::touch;

    pub struct Sender<T>(tokio::sync::broadcast::Sender<T>);

    pub struct Receiver<T>(tokio::sync::broadcast::Receiver<T>);

    impl<T: Clone> Sender<T> {
        pub fn new(capacity: usize) -> Self {
            Self(tokio::sync::broadcast::Sender::new(capacity))
        }

        pub fn subscribe(&self) -> Receiver<T> {
            touch();
            Receiver(self.0.subscribe())
        }

        pub fn receiver_count(&self) -> usize {
            touch();
            self.0.receiver_count()
        }

        pub fn send(&self, value: T) -> Result<usize, SendError<T>> {
            touch();
            self.0.send(value)
        }
    }

    impl<T: Clone> Receiver<T> {
        pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
            touch();
            self.0.try_recv()
        }
    }
}

pub mod watch {
    use tokio::sync::watch::Ref;
    use tokio::sync::watch::error::RecvError;

    use super::touch;

    pub struct Sender<T>(tokio::sync::watch::Sender<T>);

    pub struct Receiver<T>(tokio::sync::watch::Receiver<T>);

    impl<T> Sender<T> {
        pub fn new(value: T) -> Self {
            Self(tokio::sync::watch::Sender::new(value))
        }

        pub fn subscribe(&self) -> Receiver<T> {
            touch();
            Receiver(self.0.subscribe())
        }

        pub fn send_modify(&self, modify: impl FnOnce(&mut T)) {
            touch();
            self.0.send_modify(modify);
        }
    }

    impl<T> Receiver<T> {
        pub fn borrow(&self) -> Ref<'_, T> {
            touch();
            self.0.borrow()
        }

        pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
            touch();
            self.0.borrow_and_update()
        }

        pub async fn changed(&mut self) -> Result<(), RecvError> {
            touch();
            self.0.changed().await
        }
    }
}
