//! When a worker has served long enough: by age, by the work it was given, by the memory it takes.
//!
//! Pure: what is known of a worker comes in, a reason goes out. How it is replaced is decided
//! elsewhere.

use std::time::Duration;

/// How long a worker may serve; `None` is no bound.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Terms {
    /// Since its start; each worker's own is up to a tenth longer or shorter.
    pub age_max: Option<Duration>,
    /// Leases given.
    pub leases_max: Option<u64>,
    /// Resident memory of its whole process tree.
    pub memory_soft_bytes: Option<u64>,
}

/// What one worker has done so far.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    pub age: Duration,
    /// Between 0 and 1, the worker's own: those that started together do not leave together.
    pub chance: f64,
    pub leases: u64,
    /// `None` until it was measured.
    pub resident_bytes: Option<u64>,
}

impl Terms {
    /// The age at which a worker with this `chance` is to be replaced.
    pub fn age_max(&self, chance: f64) -> Option<Duration> {
        let factor = 1.0 + JITTER * (2.0 * chance.clamp(0.0, 1.0) - 1.0);
        self.age_max.map(|age| age.mul_f64(factor))
    }

    /// Why the worker is to be replaced, if it is.
    pub fn are_over(&self, service: Service) -> Option<String> {
        if self.age_max(service.chance).is_some_and(|max| service.age >= max) {
            return Some(format!("it is {} s old", service.age.as_secs()));
        }
        if self.leases_max.is_some_and(|max| service.leases >= max) {
            return Some(format!("it has served {} times", service.leases));
        }
        let resident = service.resident_bytes?;
        let max = self.memory_soft_bytes?;
        (resident >= max).then(|| format!("it takes {resident} bytes of memory, soft limit {max}"))
    }
}

const JITTER: f64 = 0.1;

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: Service =
        Service { age: Duration::ZERO, chance: 0.5, leases: 0, resident_bytes: None };

    #[test]
    fn each_bound_has_its_reason_and_none_means_for_ever() {
        let age = Duration::from_secs(100);
        let terms =
            Terms { age_max: Some(age), leases_max: Some(10), memory_soft_bytes: Some(1000) };
        let over = |service: Service| terms.are_over(service);
        assert_eq!(over(FRESH), None);
        assert_eq!(over(Service { age, ..FRESH }).unwrap(), "it is 100 s old");
        assert_eq!(over(Service { age, chance: 1.0, ..FRESH }), None);
        let young = Service { age: age.mul_f64(0.9), chance: 0.0, ..FRESH };
        assert_eq!(over(young).unwrap(), "it is 90 s old");
        assert_eq!(over(Service { leases: 9, ..FRESH }), None);
        assert_eq!(over(Service { leases: 10, ..FRESH }).unwrap(), "it has served 10 times");
        assert_eq!(over(Service { resident_bytes: Some(999), ..FRESH }), None);
        let fat = over(Service { resident_bytes: Some(1000), ..FRESH }).unwrap();
        assert_eq!(fat, "it takes 1000 bytes of memory, soft limit 1000");
        let old = Service { age: age * 100, leases: u64::MAX, resident_bytes: Some(9), ..FRESH };
        assert_eq!(Terms::default().are_over(old), None);
    }
}
