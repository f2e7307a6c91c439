//! The metrics of a server, read by the letter of the format (`OpenMetrics` 1.0, text). What a lenient reader would ignore
//! fails here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::{Server, http1, wait_for};

/// Labels in the order of their names.
type Labels = BTreeMap<String, String>;

/// One scrape.
#[derive(Debug)]
pub struct Figures {
    pub text: String,
    samples: BTreeMap<(String, Labels), f64>,
}

/// A family while its samples are read.
struct Family {
    name: String,
    kind: String,
}

impl Figures {
    /// Where a server with `PARLOR_METRICS__LISTEN=127.0.0.1:0` says that its metrics are.
    pub async fn address(server: &Server) -> SocketAddr {
        let said = || {
            let log = server.log();
            let (_, rest) = log.rsplit_once("metrics on http://")?;
            rest.split_once("/metrics")?.0.parse().ok()
        };
        wait_for("the log says where the metrics are", || async { said().is_some() }).await;
        said().expect("it was there")
    }

    /// Asks a server as Prometheus does.
    pub async fn of(server: &Server) -> Self {
        Self::at(Self::address(server).await).await
    }

    /// The same where the address of the metrics is known.
    pub async fn at(metrics: SocketAddr) -> Self {
        let request = b"GET /metrics HTTP/1.1\r\nHost: parlor\r\nConnection: close\r\n\r\n";
        let answer = http1::exchange(metrics, request).await;
        let (head, text) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        let head = head.to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        let content_type = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
        assert!(head.lines().any(|line| line == content_type), "{head}");
        Self::parse(text).unwrap_or_else(|error| panic!("{error} in:\n{text}"))
    }

    /// The value of a sample; 0 where there is none, as for a counter that has counted nothing yet.
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.samples.get(&(name.to_owned(), labels)).copied().unwrap_or(0.0)
    }

    /// The same for what is counted in whole numbers.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count is small and positive"
    )]
    pub fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.get(name, labels).round() as u64
    }

    pub fn names(&self) -> BTreeSet<&str> {
        self.samples.keys().map(|(name, _)| name.as_str()).collect()
    }

    pub fn label_names(&self) -> BTreeSet<&str> {
        self.samples.keys().flat_map(|(_, labels)| labels.keys().map(String::as_str)).collect()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let body = text.strip_suffix("# EOF\n").ok_or("does not end with # EOF")?;
        let mut samples = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let mut family: Option<Family> = None;
        let mut helped = None;
        for line in body.split_terminator('\n') {
            let fault = |what: &str| Err(format!("{line:?}: {what}"));
            if let Some(rest) = line.strip_prefix("# ") {
                let mut words = rest.splitn(3, ' ');
                match (words.next(), words.next(), words.next()) {
                    (Some("HELP"), Some(name), Some(help)) if is_name(name) && !help.is_empty() => {
                        helped = Some(name);
                    }
                    (Some("TYPE"), Some(name), Some(kind)) if is_name(name) => {
                        if !matches!(kind, "counter" | "gauge" | "histogram") {
                            return fault("a type that readers of the older format do not know");
                        }
                        if helped != Some(name) || !seen.insert(name) {
                            return fault("a family without help, or twice");
                        }
                        family = Some(Family { name: name.into(), kind: kind.into() });
                    }
                    (Some("UNIT"), Some(name), Some(unit)) => {
                        if family.as_ref().is_none_or(|family| family.name != name)
                            || !name.ends_with(&format!("_{unit}"))
                        {
                            return fault("a unit that the name does not end with");
                        }
                    }
                    _ => return fault("neither HELP, TYPE nor UNIT"),
                }
                continue;
            }
            let (name, labels, value) = sample(line).ok_or(format!("{line:?}: no sample"))?;
            let Some(family) = &family else { return fault("a sample before its type") };
            if !family.has(&name, &labels) || !is_possible(&family.kind, value) {
                return fault("does not belong to the family before it");
            }
            if samples.insert((name, labels), value).is_some() {
                return fault("is there twice");
            }
        }
        let figures = Self { text: text.to_owned(), samples };
        figures.check_histograms()?;
        Ok(figures)
    }

    /// Buckets grow with their bounds, and the last one holds everything.
    fn check_histograms(&self) -> Result<(), String> {
        let mut buckets: BTreeMap<(&str, Labels), Vec<(f64, f64)>> = BTreeMap::new();
        for ((name, labels), value) in &self.samples {
            let Some(name) = name.strip_suffix("_bucket") else { continue };
            let mut labels = labels.clone();
            let bound = labels.remove("le").and_then(|bound| number(&bound)).ok_or("a bucket has a bound")?;
            buckets.entry((name, labels)).or_default().push((bound, *value));
        }
        for ((name, labels), mut series) in buckets {
            series.sort_by(|a, b| a.0.total_cmp(&b.0));
            let count = self.samples.get(&(format!("{name}_count"), labels.clone()));
            let last = series.last().filter(|(bound, _)| bound.is_infinite()).map(|(_, held)| held);
            let grows = series.windows(2).all(|pair| pair[0].1 <= pair[1].1);
            if !grows || last != count || !self.samples.contains_key(&(format!("{name}_sum"), labels)) {
                return Err(format!("the buckets of {name} are no histogram: {series:?}"));
            }
        }
        Ok(())
    }
}

impl Family {
    fn has(&self, sample: &str, labels: &Labels) -> bool {
        let Some(suffix) = sample.strip_prefix(&self.name) else { return false };
        match self.kind.as_str() {
            "counter" => suffix == "_total",
            "gauge" => suffix.is_empty(),
            _ => {
                matches!((suffix, labels.contains_key("le")), ("_bucket", true) | ("_sum" | "_count", false))
            }
        }
    }
}

fn is_possible(kind: &str, value: f64) -> bool {
    !value.is_nan() && (kind == "gauge" || value >= 0.0)
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        text => text.parse().ok().filter(|value: &f64| value.is_finite()),
    }
}

/// `name{label="value",...} number`, with one space and nothing after it.
fn sample(line: &str) -> Option<(String, Labels, f64)> {
    let name_end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(name_end);
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"")?;
            let end = closing_quote(after)?;
            let value = after[..end].replace("\\\"", "\"").replace("\\n", "\n").replace("\\\\", "\\");
            if !is_name(label) || labels.insert(label.to_owned(), value).is_some() {
                return None;
            }
            rest = &after[end + 1..];
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        rest = rest.strip_prefix('}')?;
    }
    let value = number(rest.strip_prefix(' ')?)?;
    is_name(name).then(|| (name.to_owned(), labels, value))
}

/// The first quote that is not escaped.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let closes = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closes.then_some(at)
    })
}

mod tests {
    use super::Figures;

    const GOOD: &str = "# HELP a Counts.\n# TYPE a counter\na_total{b=\"c\\\"d\"} 3\n# EOF\n";

    #[test]
    fn what_is_well_formed_is_read() {
        assert!((Figures::parse(GOOD).unwrap().get("a_total", &[("b", "c\"d")]) - 3.0).abs() < f64::EPSILON);
    }

    #[test]
    fn what_is_not_is_refused() {
        for (part, instead) in [
            ("# EOF\n", ""),
            ("# TYPE a counter\n", ""),
            ("# HELP a Counts.\n", ""),
            ("counter", "info"),
            ("a_total{", "a{"),
            ("a_total{", "b_total{"),
            ("} 3", "}3"),
            ("} 3", "} 3 4"),
            ("} 3", "} -3"),
            ("} 3", "} three"),
            ("} 3\n", "} 3\na_total{b=\"c\\\"d\"} 3\n"),
            ("b=\"", "b=\"c\",b=\""),
            ("d\"} 3", "d} 3"),
            ("# TYPE", "#TYPE"),
        ] {
            let bad = GOOD.replace(part, instead);
            assert_ne!(bad, GOOD);
            assert!(Figures::parse(&bad).is_err(), "{bad}");
        }
        let bucket = "# HELP h H.\n# TYPE h histogram\nh_sum 1\nh_count 2\nh_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 2\n# EOF\n";
        assert!(Figures::parse(bucket).is_ok());
        for (part, instead) in [("} 1", "} 3"), ("_count 2", "_count 3"), ("h_sum 1\n", ""), ("+Inf", "2.0")]
        {
            assert!(Figures::parse(&bucket.replace(part, instead)).is_err(), "{part} {instead}");
        }
    }
}
