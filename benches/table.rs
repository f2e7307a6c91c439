//! The rows that were measured, and the one table they end up in. Nothing here fails because a figure is bad.

/// What a row should reach.
#[derive(Clone, Copy)]
pub enum Target {
    AtMost(f64),
    AtLeast(f64),
    /// Nothing: the figure is for reckoning with.
    None,
}

/// Rounding: ratios of clock ticks may differ from a target that they meet by this much.
const ROUNDING: f64 = 1e-9;

pub struct Row {
    pub name: String,
    pub parlor: String,
    pub yardstick: String,
    /// What is held against the target: a ratio, or a figure in `unit`.
    pub value: f64,
    /// Empty for a ratio.
    pub unit: &'static str,
    pub target: Target,
}

#[derive(Default)]
pub struct Table(Vec<Row>);

impl Row {
    /// A row whose ratio of Parlor's figure to the yardstick's is held against the target.
    pub fn ratio(name: impl Into<String>, value: f64, target: Target) -> Self {
        let name = name.into();
        Self { name, parlor: String::new(), yardstick: String::new(), value, unit: "", target }
    }

    /// A row whose figure itself is held against the target.
    pub fn figure(name: impl Into<String>, value: f64, unit: &'static str, target: Target) -> Self {
        Self { unit, ..Self::ratio(name, value, target) }
    }

    pub fn parlor(mut self, text: impl Into<String>) -> Self {
        self.parlor = text.into();
        self
    }

    pub fn yardstick(mut self, text: impl Into<String>) -> Self {
        self.yardstick = text.into();
        self
    }

    fn value_text(&self) -> String {
        let digits = if self.unit.is_empty() { 2 } else { 1 };
        format!("{:.digits$}{}", self.value, self.unit)
    }

    fn target_text(&self) -> String {
        let unit = self.unit;
        match self.target {
            Target::AtMost(most) => format!("<= {most}{unit}"),
            Target::AtLeast(least) => format!(">= {least}{unit}"),
            Target::None => "-".into(),
        }
    }

    fn reached_text(&self) -> &'static str {
        let is_reached = match self.target {
            Target::AtMost(most) => self.value <= most + ROUNDING,
            Target::AtLeast(least) => self.value >= least - ROUNDING,
            Target::None => return "-",
        };
        if is_reached { "yes" } else { "no" }
    }

    fn cells(&self) -> [String; 6] {
        [
            self.name.clone(),
            self.parlor.clone(),
            self.yardstick.clone(),
            self.value_text(),
            self.target_text(),
            self.reached_text().into(),
        ]
    }
}

impl Table {
    /// Adds a row and prints it, so that a long run shows how far it is.
    pub fn add(&mut self, row: Row) {
        let [name, parlor, yardstick, value, target, _] = row.cells();
        println!("{name}: {parlor}; {yardstick}; {value} ({target})");
        self.0.push(row);
    }

    /// All rows, as a table that Markdown can read too.
    pub fn print(&self) {
        let head = ["", "Parlor", "yardstick", "ratio", "target", "reached"].map(str::to_owned);
        let rows: Vec<_> = std::iter::once(head).chain(self.0.iter().map(Row::cells)).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 6] = std::array::from_fn(width);
        for (at, row) in rows.iter().enumerate() {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
            println!("| {} |", cells.collect::<Vec<_>>().join(" | "));
            if at == 0 {
                println!("|{}|", widths.map(|width| "-".repeat(width + 2)).join("|"));
            }
        }
    }
}

/// The value below which a share of the sorted samples lies.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = (share * (sorted.len() - 1) as f64).round();
    sorted[at as usize]
}

/// The median: there are few rounds, and some are disturbed.
pub fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile(&sorted, 0.5)
}
