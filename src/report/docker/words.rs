//! Lengths of time, sizes, ports and commands in Docker's words.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use crate::model::{Families, HeldPort, Protocol};

/// `Less than a second`, `5 seconds`, `About a minute`, `3 weeks`.
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours) = (seconds / 60, (seconds + 1800) / 3600);
    match (seconds, minutes, hours) {
        (0, ..) => "Less than a second".into(),
        (1, ..) => "1 second".into(),
        (2..60, ..) => format!("{seconds} seconds"),
        (_, 1, _) => "About a minute".into(),
        (_, 2..60, _) => format!("{minutes} minutes"),
        (.., 1) => "About an hour".into(),
        (.., 0..48) => format!("{hours} hours"),
        (.., 48..336) => format!("{} days", hours / 24),
        (.., 336..1440) => format!("{} weeks", hours / 24 / 7),
        (.., 1440..17_520) => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", seconds / 3600 / 24 / 365),
    }
}

/// `0B`, `1.98MB`: three digits, thousands.
pub fn size(bytes: u64) -> String {
    scaled(bytes, 1000.0, &["B", "kB", "MB", "GB", "TB", "PB", "EB"], 3)
}

/// `332KiB`, `1.944GiB`: four digits, powers of 1024.
pub fn binary_size(bytes: u64) -> String {
    scaled(bytes, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"], 4)
}

#[expect(clippy::cast_precision_loss, reason = "three or four digits are shown")]
fn scaled(bytes: u64, base: f64, units: &[&str], digits: usize) -> String {
    let mut number = bytes as f64;
    let mut unit = 0;
    while number >= base && unit + 1 < units.len() {
        number /= base;
        unit += 1;
    }
    let whole = if number >= 1000.0 {
        4
    } else if number >= 100.0 {
        3
    } else if number >= 10.0 {
        2
    } else {
        1
    };
    let text = format!("{number:.*}", digits.saturating_sub(whole));
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{}", units[unit])
}

/// `12.34%`.
pub fn percent(share: f64) -> String {
    format!("{:.2}%", share * 100.0)
}

/// At most so many letters, with an ellipsis for the rest.
pub fn shortened(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.into();
    }
    text.chars().take(length - 1).chain(['…']).collect()
}

/// As a text in a program.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            control if control.is_control() => {
                let _ = write!(quoted, "\\x{:02x}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// `0.0.0.0:8080->80/tcp, 127.0.0.1:53->53/udp`; neighbours with the same number on both sides become a range.
pub fn ports(held: &[HeldPort]) -> String {
    struct Group {
        ip: IpAddr,
        protocol: Protocol,
        first: u16,
        last: u16,
    }
    let mut held = each_family(held);
    held.sort_by_key(|port| (port.container, port.ip, port.host, port.protocol));
    let mut open: Vec<Group> = Vec::new();
    let (mut closed, mut others) = (Vec::new(), Vec::new());
    let told = |group: &Group| {
        let range = match group.last {
            last if last == group.first => last.to_string(),
            last => format!("{}-{last}", group.first),
        };
        format!("{}:{range}->{range}/{}", host(group.ip), group.protocol)
    };
    for port in held {
        if port.host != port.container {
            others.push(port.to_string());
            continue;
        }
        let (ip, protocol, number) = (port.ip, port.protocol, port.container);
        match open.iter_mut().find(|group| group.ip == ip && group.protocol == protocol) {
            Some(group) if group.last + 1 == number => group.last = number,
            Some(group) => {
                closed.push(told(group));
                (group.first, group.last) = (number, number);
            }
            None => open.push(Group { ip, protocol, first: number, last: number }),
        }
    }
    closed.extend(open.iter().map(told));
    closed.extend(others);
    closed.join(", ")
}

/// Docker has an entry for each family of addresses on which a port is held.
pub fn each_family(held: &[HeldPort]) -> Vec<HeldPort> {
    let both = |port: &HeldPort| {
        let twin = HeldPort { ip: Ipv6Addr::UNSPECIFIED.into(), ..port.clone() };
        std::iter::once(port.clone()).chain((port.families == Families::Both).then_some(twin))
    };
    held.iter().flat_map(both).collect()
}

/// An address as it stands before a colon.
pub fn host(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dockers_words() {
        let words = [
            0, 1, 59, 60, 119, 120, 3599, 3600, 5400, 172_799, 172_800, 1_209_600, 5_184_000, 63_072_000,
            94_608_000,
        ]
        .map(|seconds| span(Duration::from_secs(seconds)));
        assert_eq!(
            words,
            [
                "Less than a second",
                "1 second",
                "59 seconds",
                "About a minute",
                "About a minute",
                "2 minutes",
                "59 minutes",
                "About an hour",
                "2 hours",
                "2 days",
                "2 days",
                "2 weeks",
                "2 months",
                "2 years",
                "3 years"
            ]
        );
    }

    #[test]
    fn sizes_are_dockers_words() {
        assert_eq!(
            [0, 2, 1250, 1_982_340, 999_999_999].map(size),
            ["0B", "2B", "1.25kB", "1.98MB", "1000MB"]
        );
        assert_eq!(
            [0, 339_968, 67_108_864, 2_087_000_000].map(binary_size),
            ["0B", "332KiB", "64MiB", "1.944GiB"]
        );
    }

    #[test]
    fn ports_that_are_neighbours_become_a_range() {
        let port = |ip: &str, host, container, protocol| HeldPort {
            ip: ip.parse().unwrap(),
            host,
            container,
            protocol,
            families: if container == 80 { Families::Both } else { Families::One },
        };
        let held = [
            port("0.0.0.0", 8080, 80, Protocol::Tcp),
            port("0.0.0.0", 91, 91, Protocol::Tcp),
            port("0.0.0.0", 90, 90, Protocol::Tcp),
            port("127.0.0.1", 53, 53, Protocol::Udp),
        ];
        let told = "127.0.0.1:53->53/udp, 0.0.0.0:90-91->90-91/tcp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp";
        assert_eq!(ports(&held), told);
    }

    #[test]
    fn a_long_command_is_cut_and_quoted() {
        assert_eq!(quoted(&shortened("sh -c 'echo hello; echo \"x\"'", 20)), "\"sh -c 'echo hello; …\"");
        assert_eq!(quoted("a\"b\\\n\u{1}"), "\"a\\\"b\\\\\\n\\x01\"");
    }
}
