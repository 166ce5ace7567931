//! What pods may do: nothing that reaches beyond their database, whatever the chart and its values say.
//!
//! It is what Pod Security calls *restricted*, but for the user that a pod runs as: a database's volumes decide that. Then
//! what Pod Security leaves open: whose Secrets a pod reads, where it runs, and how much it takes.

use serde_json::{Map, Value};

use super::one_of;
use crate::context::RenderInput;
use crate::quantity;
use crate::rule::Rule;

const POD: &str = "/spec/template/spec";
/// The sources of volumes that show a pod nothing of its node.
const VOLUMES: [&str; 7] =
    ["configMap", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"];
/// Taints that keep pods off the machines of a control plane.
const CONTROL_PLANE: [&str; 2] = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];
const SELINUX_TYPES: [&str; 5] = ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];
const APPARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";

/// The first rule that the pods of an object break, and the JSON pointer of what is wrong or missing.
pub(super) fn breach(input: &RenderInput<'_>, object: &Value) -> Option<(Rule, String)> {
    let spec = object.pointer(POD)?;
    let pod = Pod { input, object, spec };
    let checks: [(Rule, Check<'_>); 8] = [
        (Rule::Unprivileged, Pod::privilege),
        (Rule::NoHostAccess, Pod::host),
        (Rule::OwnSecrets, Pod::foreign_secret),
        (Rule::OwnServiceAccount, Pod::token),
        (Rule::OwnVolumeClaims, Pod::foreign_claim),
        (Rule::NoControlPlane, Pod::control_plane),
        (Rule::RequestsAndLimits, Pod::unbounded),
        (Rule::OneOfEach, Pod::two_of_one),
    ];
    let mut kept = checks.into_iter().filter(|(rule, _)| !input.waived.contains(rule));
    kept.find_map(|(rule, check)| Some((rule, check(&pod)?)))
}

/// The JSON pointer of what is wrong with a pod.
type Check<'a> = fn(&Pod<'a>) -> Option<String>;

struct Pod<'a> {
    input: &'a RenderInput<'a>,
    object: &'a Value,
    spec: &'a Value,
}

impl<'a> Pod<'a> {
    /// The items of a list of the pod, each with its JSON pointer.
    fn items(&self, list: &'static str) -> impl Iterator<Item = (String, &'a Value)> + use<'a> {
        let items = self.spec[list].as_array().into_iter().flatten().enumerate();
        items.map(move |(at, item)| (format!("{POD}/{list}/{at}"), item))
    }

    fn containers(&self) -> impl Iterator<Item = (String, &'a Value)> + use<'a> {
        self.items("initContainers").chain(self.items("containers"))
    }

    fn privilege(&self) -> Option<String> {
        self.privilege_of_pod().or_else(|| self.containers().find_map(|(at, c)| self.privilege_of(&at, c)))
    }

    fn privilege_of_pod(&self) -> Option<String> {
        let context = &self.spec["securityContext"];
        let at = format!("{POD}/securityContext");
        if let Some(profile) =
            set(&context["seccompProfile"]).filter(|profile| profile["type"] != "RuntimeDefault")
        {
            return Some(format!(
                "{at}/{}",
                if profile["type"].is_null() { "seccompProfile" } else { "seccompProfile/type" }
            ));
        }
        if context["sysctls"].as_array().is_some_and(|sysctls| !sysctls.is_empty()) {
            return Some(format!("{at}/sysctls"));
        }
        let annotations = self.object.pointer("/spec/template/metadata/annotations").and_then(Value::as_object);
        let unconfined = |(name, value): &(&String, &Value)| name.starts_with(APPARMOR) && *value == "unconfined";
        if annotations.into_iter().flatten().any(|entry| unconfined(&entry)) {
            return Some("/spec/template/metadata/annotations".to_owned());
        }
        loosened(&at, context)
    }

    fn privilege_of(&self, at: &str, container: &Value) -> Option<String> {
        let context = &container["securityContext"];
        let at = format!("{at}/securityContext");
        let wrong = |field: &str| Some(format!("{at}/{field}"));
        if context["privileged"] == true {
            return wrong("privileged");
        }
        if context["allowPrivilegeEscalation"] != false {
            return wrong("allowPrivilegeEscalation");
        }
        let list = |pointer: &str| context.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
        if !list("/capabilities/drop").any(|name| name == "ALL") {
            return wrong("capabilities/drop");
        }
        if list("/capabilities/add").any(|name| name != "NET_BIND_SERVICE") {
            return wrong("capabilities/add");
        }
        if set(&context["procMount"]).is_some_and(|kind| kind != "Default") {
            return wrong("procMount");
        }
        let seccomp =
            set(&context["seccompProfile"]).or_else(|| set(&self.spec["securityContext"]["seccompProfile"]));
        if seccomp.is_none_or(|profile| profile["type"] != "RuntimeDefault") {
            return wrong("seccompProfile");
        }
        loosened(&at, context)
    }

    fn host(&self) -> Option<String> {
        let shared = ["hostNetwork", "hostPID", "hostIPC"].into_iter().find(|field| self.spec[*field] == true);
        if let Some(field) = shared {
            return Some(format!("{POD}/{field}"));
        }
        let of_volume = |(at, volume): (String, &Value)| {
            let mut kinds = fields(volume).filter(|field| *field != "name");
            kinds.find(|kind| !VOLUMES.contains(kind)).map(|kind| format!("{at}/{kind}"))
        };
        self.items("volumes").find_map(of_volume).or_else(|| self.containers().find_map(|(at, c)| host_of(&at, c)))
    }

    /// A Secret that Kogge did not make for this component. Those that images are pulled by stay with the kubelet.
    fn foreign_secret(&self) -> Option<String> {
        let secrets = &self.input.secrets;
        let own =
            |name: &Value| *name == secrets.keyfile || secrets.tls.as_ref().is_some_and(|tls| *name == tls.secret);
        let foreign = |at: String, source: &Value| set(source).is_some_and(|name| !own(name)).then_some(at);
        let of_volume = |(at, volume): (String, &Value)| {
            foreign(format!("{at}/secret/secretName"), &volume["secret"]["secretName"]).or_else(|| {
                let mut sources = volume["projected"]["sources"].as_array().into_iter().flatten().enumerate();
                sources.find_map(|(index, source)| {
                    foreign(format!("{at}/projected/sources/{index}/secret/name"), &source["secret"]["name"])
                })
            })
        };
        let of_container = |(at, container): (String, &Value)| {
            let list = |field: &str| container[field].as_array().cloned().unwrap_or_default();
            let variables = list("env").into_iter().enumerate().find_map(|(index, variable)| {
                let at = format!("{at}/env/{index}/valueFrom/secretKeyRef/name");
                foreign(at, &variable["valueFrom"]["secretKeyRef"]["name"])
            });
            variables.or_else(|| {
                list("envFrom").into_iter().enumerate().find_map(|(index, source)| {
                    foreign(format!("{at}/envFrom/{index}/secretRef/name"), &source["secretRef"]["name"])
                })
            })
        };
        self.items("volumes").find_map(of_volume).or_else(|| self.containers().find_map(of_container))
    }

    /// A token of an account that is not the database's own. Whether an account is, is seen with the other objects.
    fn token(&self) -> Option<String> {
        let sources = |(at, volume): (String, &Value)| {
            let sources = volume["projected"]["sources"].as_array().cloned().unwrap_or_default();
            sources.into_iter().enumerate().find_map(|(index, source)| {
                let credential = ["serviceAccountToken", "podCertificate"];
                let found = credential.into_iter().find(|field| set(&source[*field]).is_some())?;
                Some(format!("{at}/projected/sources/{index}/{found}"))
            })
        };
        if account(self.spec).is_some() {
            return None;
        }
        if self.spec["automountServiceAccountToken"] != false {
            return Some(format!("{POD}/automountServiceAccountToken"));
        }
        self.items("volumes").find_map(sources)
    }

    fn foreign_claim(&self) -> Option<String> {
        let suffix = format!("-{}", self.input.cluster.id);
        self.items("volumes").find_map(|(at, volume)| {
            let claim = volume["persistentVolumeClaim"]["claimName"].as_str()?;
            (!claim.ends_with(&suffix)).then(|| format!("{at}/persistentVolumeClaim/claimName"))
        })
    }

    fn control_plane(&self) -> Option<String> {
        if set(&self.spec["nodeName"]).is_some_and(|name| name != "") {
            return Some(format!("{POD}/nodeName"));
        }
        if self.spec["priorityClassName"].as_str().is_some_and(|name| name.starts_with("system-")) {
            return Some(format!("{POD}/priorityClassName"));
        }
        let tolerated = |toleration: &Value| match toleration["key"].as_str().unwrap_or_default() {
            "" => toleration["operator"] == "Exists",
            key => CONTROL_PLANE.contains(&key),
        };
        self.items("tolerations").find_map(|(at, toleration)| tolerated(toleration).then_some(at))
    }

    fn unbounded(&self) -> Option<String> {
        self.containers().find_map(|(at, container)| {
            let missing = |bound: &&str| {
                ["cpu", "memory"].into_iter().find(|name| {
                    let quantity = &container["resources"][*bound][*name];
                    quantity::of(quantity).is_none_or(|quantity| quantity <= 0.0)
                })
            };
            let found = ["limits", "requests"].into_iter().find_map(|bound| Some((bound, missing(&bound)?)));
            found.map(|(bound, name)| format!("{at}/resources/{bound}/{name}"))
        })
    }

    fn two_of_one(&self) -> Option<String> {
        let of_volume = self.items("volumes").find_map(|(at, volume)| one_of::volume(volume).then_some(at));
        of_volume.or_else(|| {
            self.containers().find_map(|(at, container)| Some(format!("{at}/{}", one_of::container(container)?)))
        })
    }
}

/// The ServiceAccount that a pod names; none for the namespace's own.
pub(super) fn account(spec: &Value) -> Option<(&'static str, &str)> {
    let named = |field: &'static str| Some((field, spec[field].as_str()?));
    ["serviceAccountName", "serviceAccount"]
        .into_iter()
        .filter_map(named)
        .find(|(_, name)| !["", "default"].contains(name))
}

/// Where a security context, of a pod or a container, takes away what confines every container.
fn loosened(at: &str, context: &Value) -> Option<String> {
    let wrong = |field: &str| Some(format!("{at}/{field}"));
    if context["windowsOptions"]["hostProcess"] == true {
        return wrong("windowsOptions/hostProcess");
    }
    if context["appArmorProfile"]["type"] == "Unconfined" {
        return wrong("appArmorProfile/type");
    }
    let selinux = &context["seLinuxOptions"];
    if selinux["type"].as_str().is_some_and(|kind| !SELINUX_TYPES.contains(&kind)) {
        return wrong("seLinuxOptions/type");
    }
    let own = |field: &&str| set(&selinux[*field]).is_some_and(|value| value != "");
    ["user", "role"].into_iter().find(own).and_then(|field| wrong(&format!("seLinuxOptions/{field}")))
}

/// A port of the node, or a probe that makes the kubelet call another host.
fn host_of(at: &str, container: &Value) -> Option<String> {
    let mut ports = container["ports"].as_array().into_iter().flatten().enumerate();
    let port = ports.find(|(_, port)| set(&port["hostPort"]).is_some_and(|number| number != 0));
    if let Some((index, _)) = port {
        return Some(format!("{at}/ports/{index}/hostPort"));
    }
    let handlers = ["livenessProbe", "readinessProbe", "startupProbe", "lifecycle/postStart", "lifecycle/preStop"];
    handlers.into_iter().find_map(|handler| {
        ["httpGet", "tcpSocket"].into_iter().find_map(|action| {
            let pointer = format!("/{handler}/{action}/host");
            let host = container.pointer(&pointer).and_then(set)?;
            (host != "").then(|| format!("{at}{pointer}"))
        })
    })
}

fn set(value: &Value) -> Option<&Value> {
    (!value.is_null()).then_some(value)
}

fn fields(value: &Value) -> impl Iterator<Item = &str> {
    let entries = value.as_object().into_iter().flat_map(Map::iter);
    entries.filter(|(_, value)| !value.is_null()).map(|(field, _)| field.as_str())
}
