//! How many connections may be open: in all, and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::FrontLimits;
use super::address::Proxies;
use super::meters::Meters;
use crate::domain::network::network_of;

/// Counts open connections and refuses more than the limits allow.
pub struct Gate {
    slots: Arc<Semaphore>,
    per_address: Option<usize>,
    proxies: Proxies,
    /// Held for one look-up, never over an await.
    open: Counts,
    pub meters: Arc<Meters>,
}

/// One of the connections that may be open at the same time; dropping it lets another in.
pub type Slot = OwnedSemaphorePermit;

/// Open connections of each network.
type Counts = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// Held by an open connection, and dropped when it is closed. Then it counts no more.
pub struct Pass {
    _slot: Slot,
    counted: Option<(IpAddr, Counts)>,
    meters: Arc<Meters>,
}

impl Gate {
    /// `most` connections in all, at least one.
    pub fn new(most: usize, limits: &FrontLimits, meters: Arc<Meters>) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS))),
            per_address: limits.per_address,
            proxies: limits.trusted_proxies.clone(),
            open: Arc::default(),
            meters,
        }
    }

    /// Waits until one more connection may be open. New connections wait in the kernel meanwhile.
    pub async fn slot(&self) -> Slot {
        if let Ok(slot) = self.slots.clone().try_acquire_owned() {
            return slot;
        }
        self.meters.full.inc();
        self.slots.clone().acquire_owned().await.expect("the semaphore is never closed")
    }

    /// None if the address has too many open connections already.
    pub fn admit(&self, slot: Slot, address: IpAddr) -> Option<Pass> {
        let Some(most) = self.per_address.filter(|_| !self.proxies.contains(address)) else {
            return Some(self.pass(slot, None));
        };
        let network = network_of(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(network).or_default();
        if *count >= most {
            self.meters.refused.inc();
            return None;
        }
        *count += 1;
        Some(self.pass(slot, Some((network, self.open.clone()))))
    }

    fn pass(&self, slot: Slot, counted: Option<(IpAddr, Counts)>) -> Pass {
        self.meters.open.inc();
        Pass { _slot: slot, counted, meters: self.meters.clone() }
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
        let first = gate.admit(gate.slot().await, ada).unwrap();
        let _second = gate.admit(gate.slot().await, address("2001:db8::2")).unwrap();
        assert!(gate.admit(gate.slot().await, ada).is_none(), "the same network");
        let _other = gate.admit(gate.slot().await, address("2001:db8:0:1::1")).unwrap();
        drop(first);
        let _third = gate.admit(gate.slot().await, ada).unwrap();
        for _ in 0..5 {
            std::mem::forget(gate.admit(gate.slot().await, address("10.0.0.1")).unwrap());
        }
    }
}
