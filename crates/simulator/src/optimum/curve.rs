//! Switching curves: how many lines ring at least, by how many agents are busy; and the best of them for a price.
//!
//! A curve is judged exactly. Between two moments at which it adds lines, lines only end, and while none ends, calls
//! only end: so what follows from each state is written, by plain substitution, as a mixture of the states in which the
//! curve has just added lines. Those are no more than the levels of `x`, and a small system of equations is left.

use super::Floor;

/// Rounds of improvement at most; six are usual.
const ROUNDS_MOST: u32 = 40;
/// An improvement smaller than this, in agents per agent, is none.
const IMPROVES: f64 = 1e-7;

/// What a curve yields in the long run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Yield {
    /// Agents busy.
    pub busy: f64,
    /// Calls abandoned in a second beyond those that the cap allows.
    pub excess: f64,
}

impl Yield {
    /// What it is worth when an abandoned call costs so much.
    pub fn worth(&self, price: f64) -> f64 {
        self.busy - price * self.excess
    }
}

/// How many states there are.
struct Shape {
    /// Lowest number of busy agents that is looked at; fewer are as good as never.
    lowest: usize,
    /// Busy agents and waiting calls, one more than the highest.
    levels: usize,
    /// Lines, one more than the most.
    lines: usize,
}

impl Shape {
    fn of(floor: &Floor) -> Self {
        let agents = f64::from(floor.agents);
        let in_flight = agents * floor.ring_seconds / floor.handle_seconds;
        // What lines in flight bring varies by no more than this: a(2 − p), for the smallest p.
        let spread = (2.0 * in_flight).sqrt();
        let lowest = (agents - 8.0 * spread - 10.0).max(0.0) as usize;
        let waiting = if floor.grace_seconds > 0.0 { 3 + (0.5 * spread).ceil() as usize } else { 0 };
        let levels = floor.agents as usize + waiting + 1 - lowest;
        let idle_most = (4.0 * spread + 3.0).min(agents);
        let lines = ((in_flight + idle_most + 2.0) / floor.answer_chance).ceil() as usize + 2;
        Self { lowest, levels, lines }
    }
}

/// Products that judging one curve takes at most.
pub(super) fn work(floor: &Floor) -> f64 {
    let Shape { levels, lines, .. } = Shape::of(floor);
    levels as f64 * (levels + GAINS) as f64 * lines as f64
}

/// What is gained on the way, besides the states that are reached: agents' time, excess, time.
const GAINS: usize = 3;

/// What happens next in a state: rates of each, and what is gained meanwhile.
struct Next {
    down: f64,
    answer: f64,
    silent: f64,
    /// Agents busy, calls in excess of the cap, and time itself.
    gains: [f64; GAINS],
}

impl Next {
    fn rate(&self) -> f64 {
        self.down + self.answer + self.silent
    }
}

/// Curves over one floor. It remembers the last best one, from which the search for the next begins.
pub(super) struct Curves {
    floor: Floor,
    shape: Shape,
    curve: Vec<usize>,
    judged: u32,
}

impl Curves {
    pub fn new(floor: &Floor) -> Self {
        let shape = Shape::of(floor);
        let agents = floor.agents as usize;
        // To begin with, a line for each free agent. The lowest level needs one, lest nothing ever happen there.
        let curve = (0..shape.levels)
            .map(|level| agents.saturating_sub(shape.lowest + level).max(usize::from(level == 0)))
            .map(|lines| lines.min(shape.lines - 1))
            .collect();
        Self { floor: *floor, shape, curve, judged: 0 }
    }

    /// How many curves were judged so far.
    pub fn judged(&self) -> u32 {
        self.judged
    }

    /// What the best curve yields when an abandoned call costs so much.
    pub fn best(&mut self, price: f64) -> Yield {
        let (mut found, mut values) = self.judge(price);
        for _ in 0..ROUNDS_MOST {
            let improved = self.improved(price, found.worth(price), &values);
            if improved == self.curve {
                break;
            }
            let before = std::mem::replace(&mut self.curve, improved);
            let (next, next_values) = self.judge(price);
            if next.worth(price) - found.worth(price) < IMPROVES * f64::from(self.floor.agents) {
                if next.worth(price) < found.worth(price) {
                    self.curve = before;
                } else {
                    found = next;
                }
                break;
            }
            (found, values) = (next, next_values);
        }
        found
    }

    fn next(&self, level: usize, lines: usize) -> Next {
        let Floor { agents, answer_chance, handle_seconds, ring_seconds, grace_seconds, cap } = self.floor;
        let (agents, busy) = (agents as usize, self.shape.lowest + level);
        let finish = if level == 0 { 0.0 } else { busy.min(agents) as f64 / handle_seconds };
        let lost = if busy > agents { (busy - agents) as f64 / grace_seconds } else { 0.0 };
        let ending = lines as f64 / ring_seconds;
        let answer = ending * answer_chance;
        let abandoned = lost + if level + 1 == self.shape.levels { answer } else { 0.0 };
        Next {
            down: finish + lost,
            answer,
            silent: ending - answer,
            gains: [busy.min(agents) as f64, abandoned - cap * answer, 1.0],
        }
    }

    /// What the curve yields, and what each of its states is worth against the first.
    fn judge(&mut self, price: f64) -> (Yield, Vec<f64>) {
        self.judged += 1;
        let levels = self.shape.levels;
        let width = levels + GAINS;
        let most = self.curve.iter().copied().max().unwrap_or(0);
        let (mut before, mut here) = (vec![0.0; levels * width], vec![0.0; levels * width]);
        let mut equations = vec![0.0; levels * width];
        for lines in 0..=most {
            for level in 0..levels {
                let (done, rest) = here.split_at_mut(level * width);
                let row = &mut rest[..width];
                row.fill(0.0);
                if lines < self.curve[level] {
                    row[level] = 1.0;
                    continue;
                }
                let next = self.next(level, lines);
                let rate = next.rate();
                if level > 0 {
                    add(row, &done[(level - 1) * width..], next.down / rate);
                }
                if lines > 0 {
                    let up = (level + 1).min(levels - 1);
                    add(row, &before[up * width..], next.answer / rate);
                    add(row, &before[level * width..], next.silent / rate);
                }
                for (gained, gain) in row[levels..].iter_mut().zip(next.gains) {
                    *gained += gain / rate;
                }
                if lines == self.curve[level] {
                    equations[level * width..(level + 1) * width].copy_from_slice(row);
                }
            }
            std::mem::swap(&mut before, &mut here);
        }
        settle(&mut equations, levels);
        let column =
            |gain: usize| (0..levels).map(|level| equations[level * width + gain]).collect::<Vec<_>>();
        let (busy, excess) = (column(levels), column(levels + 1));
        // The first level's value is nothing by convention; in its place stands the average.
        let found = Yield { busy: busy[0], excess: excess[0] };
        let mut values: Vec<f64> =
            busy.iter().zip(&excess).map(|(busy, excess)| busy - price * excess).collect();
        values[0] = 0.0;
        (found, values)
    }

    /// The curve that is best for the first step, when the present one is followed after it.
    fn improved(&self, price: f64, average: f64, values: &[f64]) -> Vec<usize> {
        let levels = self.shape.levels;
        let mut best = vec![(f64::MIN, 0); levels];
        let (mut before, mut here) = (vec![0.0; levels], vec![0.0; levels]);
        for lines in 0..self.shape.lines {
            for level in 0..levels {
                let next = self.next(level, lines);
                let rate = next.rate();
                if rate <= 0.0 {
                    here[level] = values[level];
                    continue;
                }
                let below = if level > 0 { next.down * here[level - 1] } else { 0.0 };
                let up = before[(level + 1).min(levels - 1)];
                let ended = if lines > 0 { next.answer * up + next.silent * before[level] } else { 0.0 };
                let gain = next.gains[0] - price * next.gains[1] - average;
                let worth = (gain + below + ended) / rate;
                if worth > best[level].0 + 1e-9 {
                    best[level] = (worth, lines);
                }
                here[level] = if lines < self.curve[level] { values[level] } else { worth };
            }
            std::mem::swap(&mut before, &mut here);
        }
        best.into_iter().map(|(_, lines)| lines).collect()
    }
}

fn add(row: &mut [f64], other: &[f64], times: f64) {
    for (to, from) in row.iter_mut().zip(other) {
        *to += from * times;
    }
}

/// Solves `v = A v + gain − average · time` for each gain, with the first level's value nothing; the average stands in
/// its place. `A` and the gains are the columns of `rows`, and the solutions take the gains' places.
fn settle(rows: &mut [f64], levels: usize) {
    let width = levels + GAINS;
    for level in 0..levels {
        let row = &mut rows[level * width..(level + 1) * width];
        for (column, value) in row[..levels].iter_mut().enumerate() {
            *value = f64::from(u8::from(column == level)) - *value;
        }
        row[0] = row[width - 1];
    }
    for pivot in 0..levels {
        let size = |level: usize| rows[level * width + pivot].abs();
        let largest = (pivot..levels).max_by(|a, b| size(*a).total_cmp(&size(*b))).unwrap_or(pivot);
        for column in 0..width {
            rows.swap(pivot * width + column, largest * width + column);
        }
        let scale = rows[pivot * width + pivot];
        if scale == 0.0 {
            continue;
        }
        rows[pivot * width..(pivot + 1) * width].iter_mut().for_each(|value| *value /= scale);
        let pivoted = rows[pivot * width..(pivot + 1) * width].to_vec();
        for level in (0..levels).filter(|level| *level != pivot) {
            let row = &mut rows[level * width..(level + 1) * width];
            let times = row[pivot];
            if times != 0.0 {
                add(row, &pivoted, -times);
            }
        }
    }
}
