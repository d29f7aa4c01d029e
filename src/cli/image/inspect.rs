//! `terrarium image inspect`: all that is known of an image.

use clap::Args;
use serde_json::{Value, json};

use super::super::{BAD, complain, written};
use super::{Done, Store};
use crate::image::Reference;
use crate::image::config::RuntimeConfig;
use crate::image::store::Image;
use crate::report::docker::template::Template;

/// Show all that is known of images, as JSON
#[derive(Args)]
#[command(after_help = "\
Examples:
  terrarium image inspect nginx
  terrarium image inspect -f '{{json .Config.Cmd}}' nginx")]
pub(in crate::cli) struct Inspect {
    /// The images, by name or id
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,

    /// A template for each
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<String>,
}

impl Inspect {
    pub(super) fn perform(&self, store: &Store) -> Done {
        let template =
            self.format.as_deref().filter(|format| *format != "json").map(Template::parse).transpose()?;
        let (mut found, mut told, mut missing) = (Vec::new(), String::new(), false);
        for word in &self.images {
            match store.find(word) {
                Ok(image) => found.push(of(store, &image)?),
                Err(error) => {
                    complain(&error);
                    missing = true;
                }
            }
        }
        match (&template, &self.format) {
            (Some(template), _) => {
                for image in &found {
                    told += &(template.fill_with(image)? + "\n");
                }
            }
            (None, Some(_)) => told.extend(found.iter().map(|image| format!("{image}\n"))),
            (None, None) => told = serde_json::to_string_pretty(&found)? + "\n",
        }
        let status = written("the images", &told);
        Ok(if missing { BAD } else { status })
    }
}

/// In Docker's form.
pub(in crate::cli) fn of(store: &Store, image: &Image) -> anyhow::Result<Value> {
    let same = store.images()?.into_iter().find(|(other, _)| other.id == image.id);
    let names: Vec<Reference> = same.map(|(_, names)| names).unwrap_or_default();
    let familiar = |wanted: fn(&&Reference) -> bool| -> Vec<String> {
        names.iter().filter(wanted).map(Reference::familiar).collect()
    };
    let config = &image.config;
    let comment = config.history.last().and_then(|step| step.comment.clone()).unwrap_or_default();
    let lower: Vec<String> =
        store.stack(&config.rootfs.diff_ids).iter().map(|layer| layer.display().to_string()).collect();
    Ok(json!({
        "Id": image.id,
        "RepoTags": familiar(|name| name.tag().is_some()),
        "RepoDigests": familiar(|name| name.digest().is_some()),
        "Parent": "",
        "Comment": comment,
        "Created": config.created.clone().unwrap_or_default(),
        "DockerVersion": config.rest.get("docker_version").cloned().unwrap_or_else(|| "".into()),
        "Author": config.author.clone().unwrap_or_default(),
        "Config": container_config(&config.config),
        "Architecture": config.platform.architecture,
        "Os": config.platform.os,
        "Size": store.size(image),
        "GraphDriver": { "Name": "overlay2", "Data": { "LowerDir": lower.join(":") } },
        "RootFS": { "Type": config.rootfs.kind, "Layers": config.rootfs.diff_ids },
        "Metadata": {},
    }))
}

/// With what is not said as Docker shows that it is not.
fn container_config(config: &RuntimeConfig) -> Value {
    let mut shown = json!({
        "User": config.user,
        "Env": config.env,
        "Cmd": config.cmd,
        "Volumes": null,
        "WorkingDir": config.working_dir,
        "Entrypoint": config.entrypoint,
        "OnBuild": null,
        "Labels": null,
    });
    if let (Value::Object(shown), Ok(Value::Object(said))) = (&mut shown, serde_json::to_value(config)) {
        shown.extend(said);
    }
    shown
}
