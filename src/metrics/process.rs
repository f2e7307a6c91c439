//! Figures of the process, read from the kernel at each scrape, under the names that every Prometheus client gives them.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// This process.
#[derive(Debug)]
pub struct Process {
    /// When it was started, in seconds since 1970.
    pub started: f64,
    pub version: &'static str,
}

impl Process {
    pub fn register(self, registry: &mut Registry) {
        registry.register_collector(Box::new(self));
    }
}

impl Collector for Process {
    /// A figure that the kernel does not give is left out.
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut gauge = |name: &str, help: &str, unit: Option<&Unit>, value: Option<f64>| {
            let Some(gauge) = value.map(ConstGauge::new) else { return Ok(()) };
            gauge.encode(encoder.encode_descriptor(name, help, unit, gauge.metric_type())?)
        };
        gauge("process_resident_memory", "Memory in use.", Some(&Unit::Bytes), resident_bytes())?;
        gauge("process_open_fds", "Open descriptors.", None, open_descriptors())?;
        gauge("process_max_fds", "Most open descriptors.", None, most_descriptors())?;
        let since = "When the process was started, since 1970.";
        gauge("process_start_time", since, Some(&Unit::Seconds), Some(self.started))?;

        let used = ConstCounter::new(processor_seconds());
        let help = "Processor time that the process has used.";
        used.encode(encoder.encode_descriptor(
            "process_cpu",
            help,
            Some(&Unit::Seconds),
            used.metric_type(),
        )?)?;

        // Not of the type "info", which the older text format does not know.
        let build = ConstGauge::new(1_i64);
        let help = "The version, as a label of the number 1.";
        let mut described =
            encoder.encode_descriptor("parlor_build_info", help, None, build.metric_type())?;
        build.encode(described.encode_family(&[("version", self.version)])?)
    }
}

/// A count as a floating-point number, exact up to 8 PiB.
#[expect(clippy::cast_precision_loss, reason = "counts of bytes and descriptors are below 2^53")]
fn figure(count: u64) -> f64 {
    count as f64
}

fn resident_bytes() -> Option<f64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let resident: u64 = pages.split(' ').nth(1)?.parse().ok()?;
    Some(figure(resident * u64::try_from(rustix::param::page_size()).ok()?))
}

fn open_descriptors() -> Option<f64> {
    // One of them is only open to list the folder.
    let entries = std::fs::read_dir("/proc/self/fd").ok()?.count();
    u64::try_from(entries).ok()?.checked_sub(1).map(figure)
}

/// None if there is no limit.
fn most_descriptors() -> Option<f64> {
    getrlimit(Resource::Nofile).current.map(figure)
}

fn processor_seconds() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    std::time::Duration::try_from(used).unwrap_or_default().as_secs_f64()
}
