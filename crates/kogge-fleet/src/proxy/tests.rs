use super::*;

fn environment(https_proxy: &str, no_proxy: &str) -> ProxyEnvironment {
    ProxyEnvironment::new(|name| match name {
        "HTTPS_PROXY" => Some(https_proxy.to_owned()),
        "no_proxy" => Some(no_proxy.to_owned()),
        _ => None,
    })
}

fn proxy(https_proxy: &str, no_proxy: &str, server: &str) -> Option<String> {
    let server: Uri = server.parse().unwrap();
    environment(https_proxy, no_proxy).of_server(&server, None).unwrap().map(|uri| uri.to_string())
}

/// The rules of Go's httpproxy, by its own examples and by what people's environments hold.
#[test]
fn field_17_no_proxy_means_what_it_means_to_kubectl() {
    let asked_directly = [
        ("*", "https://example.com"),
        ("other, *", "https://10.0.0.1:6443"),
        ("10.0.0.0/8,.svc,127.0.0.1", "https://10.1.2.3:6443"),
        ("10.0.0.0/8,.svc,127.0.0.1", "https://kubernetes.default.svc"),
        ("10.96.0.1/32", "https://10.96.0.1"),
        ("0.0.0.0/0", "https://203.0.113.7"),
        ("fd00::/8", "https://[fd12:3456::1]:6443"),
        ("::/0", "https://[2001:db8::1]"),
        ("fd00::1", "https://[fd00::1]:6443"),
        ("[fd00::1]:6443", "https://[fd00::1]:6443"),
        ("192.0.2.1:6443", "https://192.0.2.1:6443"),
        ("192.0.2.1:443", "https://192.0.2.1"),
        ("192.0.2.1", "https://192.0.2.1:6443"),
        ("example.com", "https://example.com:6443"),
        ("example.com", "https://api.example.com"),
        ("EXAMPLE.com", "https://API.example.COM"),
        (".example.com", "https://api.example.com"),
        ("*.example.com", "https://api.k8s.example.com"),
        ("api.example.com:6443", "https://api.example.com:6443"),
        ("api.example.com:443", "https://api.example.com/k8s/clusters/c-abc12"),
        (" a , ,example.com,, ", "https://example.com"),
        ("a/b,:80,[::1,example.com:x,example.com", "https://example.com"),
        // This machine is never asked through a proxy.
        ("", "https://localhost:6443"),
        ("", "https://127.0.0.1:6443"),
        ("", "https://127.9.9.9"),
        ("", "https://[::1]:6443"),
    ];
    for (list, server) in asked_directly {
        assert_eq!(proxy("http://proxy:3128", list, server), None, "{list:?} {server}");
    }
    let asked_through = [
        ("", "https://example.com"),
        ("10.0.0.0/8", "https://11.0.0.1"),
        ("10.0.0.0/8", "https://10.example.com"),
        ("10.0.0.0/33", "https://10.0.0.1"),
        ("fd00::/8", "https://[fe80::1]"),
        ("fd00::/8", "https://10.0.0.1"),
        ("192.0.2.1:6443", "https://192.0.2.1"),
        ("192.0.2.1", "https://192.0.2.10"),
        (".example.com", "https://example.com"),
        ("*.example.com", "https://example.com"),
        ("example.com", "https://notexample.com"),
        ("api.example.com:6443", "https://api.example.com"),
        (".svc", "https://svc"),
        ("svc.*", "https://svc.example"),
        // NO_PROXY is about the server: the proxy's own address in it changes nothing.
        ("proxy", "https://example.com"),
    ];
    for (list, server) in asked_through {
        assert_eq!(
            proxy("http://proxy:3128", list, server).as_deref(),
            Some("http://proxy:3128/"),
            "{list:?} {server}"
        );
    }
}

#[test]
fn field_17_a_proxy_of_the_environment_is_read_as_go_reads_it() {
    for (text, expected) in [
        ("http://proxy.example:3128", "http://proxy.example:3128/"),
        ("HTTP://proxy.example", "http://proxy.example:80/"),
        ("https://proxy.example/path?x#y", "https://proxy.example:443/"),
        ("proxy.example:3128", "http://proxy.example:3128/"),
        ("  proxy.example \n", "http://proxy.example:80/"),
        ("http://user:p%40ss@proxy.example:3128", "http://user:p%40ss@proxy.example:3128/"),
        ("socks5://proxy.example", "socks5://proxy.example:1080/"),
        ("socks5h://proxy.example:1", "socks5://proxy.example:1/"),
        ("http://[fd00::1]:3128", "http://[fd00::1]:3128/"),
        ("[fd00::1]", "http://[fd00::1]:80/"),
    ] {
        assert_eq!(proxy(text, "", "https://example.com").as_deref(), Some(expected), "{text:?}");
    }
    let server: Uri = "https://example.com".parse().unwrap();
    for (text, error) in [
        ("http://", ProxyError::NotAnAddress),
        ("http://a b", ProxyError::NotAnAddress),
        ("http://proxy:port", ProxyError::NotAnAddress),
        ("http://proxy:99999", ProxyError::NotAnAddress),
        ("ftp://proxy", ProxyError::Scheme),
        ("socks4://proxy", ProxyError::Scheme),
        ("socks5://user:secret@proxy", ProxyError::SocksLogin),
    ] {
        assert_eq!(environment(text, "").of_server(&server, None), Err(error), "{text:?}");
    }
    for nothing in ["", " "] {
        assert_eq!(proxy(nothing, "", "https://example.com"), None);
    }
    assert_eq!(proxy("http://proxy", "", "http://example.com"), None, "HTTPS_PROXY is for https");
}

#[test]
fn field_17_the_proxy_of_the_kubeconfig_goes_before_the_environment_and_before_no_proxy() {
    let server: Uri = "https://10.1.2.3:6443".parse().unwrap();
    let own = of_kubeconfig("socks5://bastion:1080").unwrap();
    let chosen = environment("http://proxy", "*").of_server(&server, Some(&own)).unwrap();
    assert_eq!(chosen.unwrap().to_string(), "socks5://bastion:1080/");
    for (text, error) in [
        ("bastion:1080", ProxyError::Scheme),
        ("socks5h://bastion:1080", ProxyError::Scheme),
        ("ssh://bastion", ProxyError::Scheme),
        ("http://", ProxyError::NotAnAddress),
        ("socks5://a:b@bastion", ProxyError::SocksLogin),
    ] {
        assert_eq!(of_kubeconfig(text), Err(error), "{text}");
    }
}

#[test]
fn a_password_of_a_proxy_is_never_shown() {
    let shown = format!("{:?}", environment("http://user:t0ps3cret@proxy", "a"));
    assert!(!shown.contains("t0ps3cret"), "{shown}");
    let proxy = of_kubeconfig("http://user:t0ps3cret@proxy:3128").unwrap();
    assert_eq!(super::shown(&proxy), "http://proxy:3128");
}
