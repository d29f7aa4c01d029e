//! Numbers as people read them.

use std::time::Duration;

/// `0 B`, `312 KiB`, `20.3 MiB`.
pub(super) fn bytes(count: u64) -> String {
    match count {
        0..1024 => format!("{count} B"),
        1024..1_048_576 => format!("{} KiB", (count + 512) / 1024),
        1_048_576..1_073_741_824 => format!("{} MiB", tenths(count, 1_048_576)),
        _ => format!("{} GiB", tenths(count, 1_073_741_824)),
    }
}

/// `7 ms`, `0.51 s`, `10.02 s`, `2 min 5 s`.
pub(super) fn time(time: Duration) -> String {
    let millis = (time.as_micros() + 500) / 1000;
    match millis {
        0 if time.is_zero() => "0 s".into(),
        0 => "under 1 ms".into(),
        1..100 => format!("{millis} ms"),
        100..60_000 => format!("{:.2} s", time.as_secs_f64()),
        _ => format!("{} min {} s", time.as_secs() / 60, time.as_secs() % 60),
    }
}

/// `1 process`, `3 processes`.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// How many cells of a terminal a text takes: Korean letters and the like take two.
pub(crate) fn cells(text: &str) -> usize {
    let is_wide = |c| matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}' | '\u{1f300}'..='\u{1faff}');
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

/// One decimal, and none where it would say nothing.
fn tenths(count: u64, unit: u64) -> String {
    let (count, unit) = (u128::from(count), u128::from(unit));
    let tenths = (count * 10 + unit / 2) / unit;
    if tenths.is_multiple_of(10) {
        (tenths / 10).to_string()
    } else {
        format!("{}.{}", tenths / 10, tenths % 10)
    }
}

/// Breaks Markdown into lines of a width: paragraphs are filled, lists and code keep their lines.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for source in text.trim_end().lines() {
        let begins_anew = source.trim().is_empty() || source.starts_with([' ', '-', '*', '#', '>', '|', '`']);
        if begins_anew && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        if source.trim().is_empty() {
            lines.push(String::new());
        }
        for word in source.split_whitespace() {
            if !line.is_empty() && cells(&line) + 1 + cells(word) > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_like_sizes() {
        let sizes = [0, 1, 1023, 1024, 319_488, 1_048_576, 21_286_093, 3 << 30].map(bytes);
        assert_eq!(sizes, ["0 B", "1 B", "1023 B", "1 KiB", "312 KiB", "1 MiB", "20.3 MiB", "3 GiB"]);
    }

    #[test]
    fn times_read_like_times() {
        let times = [0, 300, 7_200, 99_600, 512_000, 10_020_000, 125_000_000]
            .map(|us| time(Duration::from_micros(us)));
        assert_eq!(times, ["0 s", "under 1 ms", "7 ms", "0.10 s", "0.51 s", "10.02 s", "2 min 5 s"]);
    }

    #[test]
    fn long_texts_break_at_spaces() {
        assert_eq!(wrap("a bb ccc dddd\n\nnext", 8), ["a bb ccc", "dddd", "", "next"]);
    }

    #[test]
    fn korean_letters_are_twice_as_wide() {
        assert_eq!(wrap("가나 다라 abcd", 8), ["가나", "다라", "abcd"]);
    }

    #[test]
    fn paragraphs_are_filled_and_lists_keep_their_lines() {
        assert_eq!(wrap("one\ntwo\n- three\n- four\n", 80), ["one two", "- three", "- four"]);
    }
}
