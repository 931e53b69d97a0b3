//! The demonstration list: people who do not exist, on numbers that nobody has.

use std::io::Write;
use std::path::Path;

use anyhow::Context;

/// Ranges of numbers set aside for films and plays, so that a demonstration can never ring anybody: country, digits
/// before the running number, width of the running number, how many there are.
///
/// Sources: Arcep décision 2018-0881 (01 99 00, 02 61 91, 03 53 01, 04 65 71, 05 36 49, 06 39 98 for audiovisual works);
/// Ofcom, telephone numbers for drama use (London 020 7946 0xxx, Leeds 0113 496 0xxx, Birmingham 0121 496 0xxx,
/// Manchester 0161 496 0xxx, Edinburgh 0131 496 0xxx).
const RANGES: &[(&str, &str, usize, u32)] = &[
    ("FR", "+3319900", 4, 10_000),
    ("FR", "+3326191", 4, 10_000),
    ("FR", "+3335301", 4, 10_000),
    ("FR", "+3346571", 4, 10_000),
    ("FR", "+3353649", 4, 10_000),
    ("FR", "+3363998", 4, 10_000),
    ("GB", "+44207946", 4, 1_000),
    ("GB", "+44113496", 4, 1_000),
    ("GB", "+44121496", 4, 1_000),
    ("GB", "+44161496", 4, 1_000),
    ("GB", "+44131496", 4, 1_000),
];

const FIRST_NAMES: &[&str] =
    &["Ada", "Blaise", "Camille", "Dora", "Emil", "Florence", "Grace", "Hedy", "Isaac", "Joan"];
const LAST_NAMES: &[&str] =
    &["Archer", "Baker", "Carter", "Dyer", "Fletcher", "Glover", "Mason", "Potter", "Smith", "Turner"];

/// How many people the ranges have numbers for.
pub fn people_max() -> u32 {
    usable().map(|(_, _, _, count)| count).sum()
}

/// The ranges whose numbers pass the same checks as everybody's.
fn usable() -> impl Iterator<Item = (&'static str, &'static str, usize, u32)> {
    RANGES.iter().copied().filter(|(_, prefix, width, _)| {
        contacts::read_number(&format!("{prefix}{:0width$}", 1, width = *width), None).is_ok()
    })
}

/// Writes the list as the CSV file of an ordinary source.
///
/// # Errors
/// The file cannot be written.
pub fn write_list(path: &Path, people: u32) -> anyhow::Result<()> {
    let file = std::fs::File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut out = std::io::BufWriter::new(file);
    writeln!(out, "Customer;First name;Last name;Phone")?;
    let mut ranges: Vec<_> = usable().map(|(_, prefix, width, count)| (prefix, width, count, 0)).collect();
    let mut written = 0;
    // One number of each range in turn, so that a short list has people of every kind.
    while written < people && !ranges.is_empty() {
        for (prefix, width, _, next) in &mut ranges {
            if written == people {
                break;
            }
            let (first, last) = (FIRST_NAMES[written as usize % 10], LAST_NAMES[written as usize / 10 % 10]);
            writeln!(out, "D{written:06};{first};{last};{prefix}{next:0width$}", width = *width)?;
            *next += 1;
            written += 1;
        }
        ranges.retain(|(_, _, count, next)| next < count);
    }
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_as_many_people_as_asked_for_each_with_a_number_of_their_own() {
        let file = tempfile::NamedTempFile::new().unwrap();
        write_list(file.path(), 5000).unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        let numbers: std::collections::BTreeSet<&str> =
            text.lines().skip(1).filter_map(|line| line.rsplit(';').next()).collect();
        assert_eq!(numbers.len(), 5000);
        assert!(numbers.iter().all(|number| contacts::read_number(number, None).is_ok()));
    }

    #[test]
    fn there_are_numbers_for_the_default_demonstration() {
        assert!(people_max() >= 20_000, "{}", people_max());
    }
}
