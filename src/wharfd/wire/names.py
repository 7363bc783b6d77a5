"""Names and ids of containers and volumes: what is allowed, and how new ones are made.

Random names join a word of mood or weather to the surname of someone who built, measured or computed things.
"""

import re
from collections.abc import Callable
from random import Random

from wharfd.model.errors import InvalidParameter
from wharfd.model.ids import VolumeName

NAME_CHARS = "[a-zA-Z0-9][a-zA-Z0-9_.-]"
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_ID = re.compile(r"[a-f0-9]{64}")


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ADJECTIVES = _words(
    """
    airy alert ample apt arctic autumn balmy blithe bold boreal brave breezy bright brisk calm candid cheery
    clear clever coastal cosy crisp curious daring dapper deft dewy dusky eager early earnest easy fabled fair
    fearless fleet fluent fond frank fresh gallant gentle gilded glad golden graceful hale handy hardy hearty
    hushed inland jaunty jolly keen kind light limber lively loyal lucid lunar mellow merry mighty mild misty
    modest nimble noble northern patient plain plucky polite prompt proud quick quiet ready robust rosy rugged
    sage sandy serene shady silent silver sincere smart snowy sober solar spry steady stellar still sturdy sunny
    swift tidal tidy trim true upbeat vernal vivid warm wise witty zesty
    """
)

SURNAMES = _words(
    """
    abel agnesi aiken airy ampere anning apgar archimedes aryabhata avogadro babbage bacon baird banneker
    banting bardeen barton bascom becquerel bell bernoulli berzelius bessemer biot blackett bohr boole borlaug
    bose boyle bragg brahe brahmagupta branly braun brunel burnell bush cannon cantor carson carver cauchy
    cavendish celsius chadwick chandrasekhar chebyshev cherenkov clarke clausius codd colmar compton conway
    copernicus coriolis coulomb crick crookes curie cuvier daguerre daimler dalton darboux darwin davy debye
    dedekind descartes dewar diesel dijkstra dirac doppler drew eastman eckert eddington edgerton edison ehrlich
    eiffel einstein elion engelbart eratosthenes ericsson erlang euclid euler ewing fahrenheit faraday fermat
    fermi feynman fibonacci fizeau fleming forrest foucault fourier fraunhofer fresnel fulton galilei galois
    galvani gauss gibbs gilbert goddard godel goodall grassmann hadamard hahn halley hamilton hamming harrison
    harvey heaviside heisenberg helmholtz henry herschel hertz hilbert hipparchus hodgkin hollerith hooke hopper
    hubble huffman humboldt huygens hypatia jacobi jacquard jenner joliot joule kapitsa karle kelvin kepler
    khayyam khwarizmi kilby kirchhoff knuth kolmogorov kovalevskaya krebs lagrange lamarr lambert landau
    langmuir laplace lavoisier leavitt leeuwenhoek legendre leibniz lenz lie lilienthal linnaeus liskov lister
    lomonosov lorentz lovelace lyell mach marconi maxwell mayer mcclintock meitner mendel mendeleev mercator
    michelson millikan minkowski mirzakhani mitchell morse napier nash newcomen newton nobel noether oersted ohm
    oppenheimer otto papin pascal pasteur pauli pauling payne pelton perkin planck poincare poisson post
    priestley ptolemy pythagoras raman ramanujan rayleigh riemann ritchie roentgen ross rubin russell rutherford
    sabin salk sanger scheele schrodinger seaborg shannon siemens sklodowska snell somerville steinmetz
    stephenson stevin stokes tartaglia telford tereshkova tesla thales thomson torricelli tsiolkovsky turing
    tyndall volta wallace wankel watson watt weber wegener whittle wien wilkes wright yalow young yukawa zeeman
    zuse
    """
)


def parse_container_name(text: str) -> str:
    """Check a name that a client chose; one leading slash is dropped.

    Raises:
        InvalidParameter: with dockerd's text.
    """
    name = text.removeprefix("/")
    if not _NAME.fullmatch(name):
        raise InvalidParameter(f"Invalid container name ({name}), only {NAME_CHARS} are allowed")
    return name


def parse_volume_name(text: str) -> VolumeName:
    """Check a volume's name.

    Raises:
        InvalidParameter: with dockerd's text.
    """
    if len(text.encode("utf-8", "replace")) == 1:  # Go counts bytes
        raise InvalidParameter("volume name is too short, names should be at least two alphanumeric characters")
    if not _NAME.fullmatch(text):
        raise InvalidParameter(
            f'"{text}" includes invalid characters for a local volume name, only "{NAME_CHARS}" are allowed. '
            "If you intended to pass a host directory, use absolute path"
        )
    return VolumeName(text)


def random_name(rng: Random, retry: int = 0) -> str:
    """A name like `brisk_noether`; from the second try on with a digit behind it, so that a full house still has room."""
    name = f"{rng.choice(ADJECTIVES)}_{rng.choice(SURNAMES)}"
    return f"{name}{rng.randrange(10)}" if retry > 0 else name


def new_id(randbytes: Callable[[int], bytes]) -> str:
    """64 random hex digits.  `randbytes` is `secrets.token_bytes` or a test's own."""
    while True:
        identifier = randbytes(32).hex()
        # Docker: twelve decimal digits as hostname would be taken for a number by some programs.
        if not identifier[:12].isdecimal():
            return identifier


def is_id(text: str) -> bool:
    """Is this a full id, 64 hex digits in lower case?"""
    return _ID.fullmatch(text) is not None
