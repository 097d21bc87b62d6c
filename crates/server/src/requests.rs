//! How often each route was asked, and how that went: numbers for `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::StatusCode;

use crate::route::{self, Route};

/// States of a response: answered, sent elsewhere, asked wrongly, our fault.
pub(crate) const STATES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// Counters of each route and state.
pub(crate) struct Requests {
    counts: Vec<[AtomicU64; STATES.len()]>,
    failed_sign_ins: AtomicU64,
}

impl Default for Requests {
    fn default() -> Self {
        Self { counts: route::all().map(|_| Default::default()).collect(), failed_sign_ins: AtomicU64::new(0) }
    }
}

impl Requests {
    /// A request was answered.
    pub(crate) fn add(&self, route: &'static Route, status: StatusCode) {
        let at = route::all().position(|known| std::ptr::eq(known, route));
        let state = usize::from(status.as_u16() / 100).saturating_sub(2);
        let counter = at.and_then(|at| self.counts.get(at)).and_then(|states| states.get(state));
        if let Some(counter) = counter {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A sign-in failed.
    pub(crate) fn sign_in_failed(&self) {
        self.failed_sign_ins.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed_sign_ins(&self) -> u64 {
        self.failed_sign_ins.load(Ordering::Relaxed)
    }

    /// By the route's place in the table and the state's in [`STATES`].
    pub(crate) fn count(&self, route: usize, state: usize) -> u64 {
        let counter = self.counts.get(route).and_then(|states| states.get(state));
        counter.map_or(0, |counter| counter.load(Ordering::Relaxed))
    }
}
