"""Our CA for the scope of a configuration: every process that needs it calls `ensure` first.

It must be there before mitmproxy looks, which would else make an unlimited CA of its own.
"""

from __future__ import annotations

from addons.settings import registry_of
from certs import files
from certs.bundle import refresh_bundle
from certs.ca import CaResult, ensure_ca
from intelligence.config import Config, ConfigError


def ensure(config: Config) -> CaResult:
    """CA and bundle as the configuration wants them. Quick when they are. Raises `CertsError`, `ConfigError`, `OSError`."""
    try:
        registry = registry_of(config)
    except ValueError as e:
        raise ConfigError(f"{config.path}: scope.hosts: {e}") from None
    folder = config.certs.dir
    result = ensure_ca(
        folder,
        registry.dns_subtrees(),
        registry.ip_addresses(),
        name_constraints=config.certs.name_constraints,
    )
    refresh_bundle(folder, [config.proxy.upstream_ca] if config.proxy.upstream_ca else [])
    dhparam = folder / "mitmproxy-dhparam.pem"
    if not dhparam.is_file():
        # mitmproxy would write it, but not at once: another one starting now could read half of it.
        from mitmproxy.certs import DEFAULT_DHPARAM

        with files.locked(folder):
            files.write(dhparam, DEFAULT_DHPARAM)
    return result
