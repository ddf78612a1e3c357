//! Numbers and addresses as logs may show them.

/// A phone number with all but its first and its last four digits hidden: `+1******3661`.
pub fn number(number: &str) -> String {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    let plus = if number.starts_with('+') { "+" } else { "" };
    if digits.len() < 8 {
        return format!("{plus}{}", "*".repeat(digits.len()));
    }
    let (first, last) = (digits[0], &digits[digits.len() - 4..]);
    format!("{plus}{first}{}{}", "*".repeat(digits.len() - 5), last.iter().collect::<String>())
}

/// A mail address with all but the first character before the `@` hidden: `d***@example.com`.
pub fn address(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((local, domain)) => {
            let domain: String = domain.chars().filter(|c| !c.is_control()).take(255).collect();
            format!("{}***@{domain}", local.chars().find(|c| !c.is_control()).map(String::from).unwrap_or_default())
        }
        None => "***".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_keeps_its_first_and_last_four_digits() {
        assert_eq!(number("+12025553661"), "+1******3661");
        assert_eq!(number("+49 30 901820"), "+4*****1820");
        assert_eq!(number("911"), "***");
        assert_eq!(number("+1234567"), "+*******");
        assert_eq!(number("nonsense"), "");
    }

    #[test]
    fn an_address_keeps_its_first_letter_and_domain() {
        assert_eq!(address("dduck@example.com"), "d***@example.com");
        assert_eq!(address("\"odd@local\"@example.com"), "\"***@example.com");
        assert_eq!(address("no address"), "***");
        assert_eq!(address("a@b\r\nc"), "a***@bc");
        assert_eq!(address(""), "***");
    }
}
