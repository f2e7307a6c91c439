//! How many connections may be open: in all, and of one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::FrontLimits;
use super::address::Proxies;
use super::meters::Meters;
use crate::domain::network::network_of;

/// Counts open connections.
pub struct Gate {
    places: Arc<Semaphore>,
    per_address: Option<usize>,
    proxies: Proxies,
    /// Held for one look-up, never over an await.
    open: Counts,
    pub meters: Arc<Meters>,
}

/// A place among all connections; dropping it frees the place.
pub type Place = OwnedSemaphorePermit;

/// Open connections of each network.
type Counts = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// The right to be open; dropped when the connection is closed.
pub struct Pass {
    _place: Place,
    counted: Option<(IpAddr, Counts)>,
    meters: Arc<Meters>,
}

impl Gate {
    /// `most` connections in all, at least one.
    pub fn new(most: usize, limits: &FrontLimits, meters: Arc<Meters>) -> Self {
        Self {
            places: Arc::new(Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS))),
            per_address: limits.per_address,
            proxies: limits.trusted_proxies.clone(),
            open: Arc::default(),
            meters,
        }
    }

    /// Waits until one more may be open. Those who come meanwhile wait in the kernel.
    pub async fn place(&self) -> Place {
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            return place;
        }
        self.meters.full.inc();
        self.places.clone().acquire_owned().await.expect("the semaphore is never closed")
    }

    /// None when the address has too many already.
    pub fn admit(&self, place: Place, address: IpAddr) -> Option<Pass> {
        let Some(most) = self.per_address.filter(|_| !self.proxies.contains(address)) else {
            return Some(self.pass(place, None));
        };
        let network = network_of(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(network).or_default();
        if *count >= most {
            self.meters.refused.inc();
            return None;
        }
        *count += 1;
        Some(self.pass(place, Some((network, self.open.clone()))))
    }

    fn pass(&self, place: Place, counted: Option<(IpAddr, Counts)>) -> Pass {
        self.meters.open.inc();
        Pass { _place: place, counted, meters: self.meters.clone() }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.meters.open.dec();
        let Some((network, open)) = &self.counted else { return };
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(network) {
            *count -= 1;
            if *count == 0 {
                open.remove(network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::http::Deadlines;

    #[tokio::test]
    async fn an_address_has_its_share_and_gets_it_back() {
        let trusted_proxies = Proxies::from(vec![IpAddr::from([10, 0, 0, 1]).into()]);
        let deadlines = Deadlines::default();
        let limits = FrontLimits { per_address: Some(2), trusted_proxies, deadlines, grace: Duration::ZERO };
        let gate = Gate::new(100, &limits, Arc::default());
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let ada = address("2001:db8::1");
        let first = gate.admit(gate.place().await, ada).unwrap();
        let _second = gate.admit(gate.place().await, address("2001:db8::2")).unwrap();
        assert!(gate.admit(gate.place().await, ada).is_none(), "the same network");
        let _other = gate.admit(gate.place().await, address("2001:db8:0:1::1")).unwrap();
        drop(first);
        let _third = gate.admit(gate.place().await, ada).unwrap();
        for _ in 0..5 {
            std::mem::forget(gate.admit(gate.place().await, address("10.0.0.1")).unwrap());
        }
    }
}
