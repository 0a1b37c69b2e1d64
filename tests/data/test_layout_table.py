"""A table names the class of each image, however it spells the file."""

from __future__ import annotations

import pytest

from hilum.data.labels import with_task
from hilum.data.source import Columns, open_source
from hilum.errors import DataError, UnreadableSource, UsageError
from hilum.task import find_task
from tests.data.made import SHARED, lay, needs_data, pictures


def opened(tmp_path, table, *paths, name="t.csv", **options):
    lay(tmp_path, pictures(*paths) | {name: table})
    return open_source(str(tmp_path), **options)


def labels(dataset):
    return {case.path: case.raw_label for case in dataset.cases}


@pytest.mark.parametrize(
    "table",
    [
        "Image,Class\na,0\nb,1\n",
        "file,label,extra\na.png,0,x\nb.png,1,y\n",
        "path;diagnosis\nimages/a.png;0\nimages/b.png;1\n",
        "\ufefffilename\tLABEL\nA.PNG\t0\nB.PNG\t1\n",
        "image_id,Label\r\n./images/a,0\r\n../set/images/b.png,1\r\n",
        ',image,class\n7,"a.png",0\n8," b.png ",1\n',
    ],
)
def test_usual_columns_with_and_without_suffix_in_any_case(tmp_path, table):
    dataset = opened(tmp_path, table, "images/a.png", "images/b.png")
    assert labels(dataset) == {"images/a.png": "0", "images/b.png": "1"}
    assert dataset.layout == "table"
    assert dataset.stray == ()


def test_columns_can_be_named(tmp_path):
    table = "scan,finding,who\na,ill,7\nb,well,7\n"
    columns = Columns(image="Scan", label="finding", group="who")
    dataset = opened(tmp_path, table, "a.png", "b.png", columns=columns, cache=tmp_path.parent / "cache")
    assert labels(dataset) == {"a.png": "ill", "b.png": "well"}
    assert len({case.patient for case in dataset.cases}) == 1
    assert dataset.cases[0].patient != "7"


def test_a_column_that_is_not_there_is_named_with_those_that_are(tmp_path):
    with pytest.raises(UsageError, match=r"no column 'finding'.*scan, ill"):
        opened(tmp_path, "scan,ill\na,1\n", "a.png", columns=Columns(image="scan", label="finding"))


def test_rows_without_a_file_and_files_without_a_row_are_said(tmp_path):
    dataset = opened(tmp_path, "image,label\na,0\ngone,1\n", "a.png", "b.png")
    assert labels(dataset) == {"a.png": "0"}
    assert dataset.stray == (f"{tmp_path}/b.png",)
    assert dataset.notes == ("1 rows name no file: gone",)


def test_a_name_in_two_folders_needs_its_path(tmp_path):
    dataset = opened(
        tmp_path,
        "image,label\na,0\nleft/b.png,1\n",
        "left/a.png",
        "right/a.png",
        "left/b.png",
        columns=Columns(label="label"),
    )
    assert labels(dataset) == {"left/b.png": "1"}
    assert any("several files" in note for note in dataset.notes)


@pytest.mark.parametrize("folder", ["", "images/"])
@pytest.mark.parametrize("suffix", ["", ".png"])
def test_a_table_of_each_site_speaks_of_the_files_of_its_own_folder(tmp_path, folder, suffix):
    """Names that are the same at every site: all rows were ambiguous, and nothing could be opened."""
    names = [f"{site}/{folder}{name}.png" for site in ("Site 1", "Site 2") for name in "ab"]
    tables = {f"Site {n}/t.csv": f"image,label\na{suffix},{n}\nb{suffix},{n}\n" for n in (1, 2)}
    lay(tmp_path, pictures(*names) | tables)
    dataset = open_source(str(tmp_path), columns=Columns(label="label"))
    assert labels(dataset) == dict(zip(names, "1122", strict=True))
    assert dataset.notes == ()


def test_a_file_with_two_labels_is_left_out_and_said(tmp_path):
    dataset = opened(tmp_path, "image,label\na,0\na,1\nb,1\nb,1\n", "a.png", "b.png")
    assert labels(dataset) == {"b.png": "1"}
    assert "1 files have rows with different labels and were left out: a.png" in dataset.notes


def test_of_two_columns_of_classes_the_one_that_is_read_is_said(tmp_path):
    """A label of the site and a diagnosis of the patient: the wrong one would be learned without a word."""
    table = "image,Label,diagnosis\na,0,ill\nb,0,well\nc,1,well\n"
    dataset = opened(tmp_path, table, "a.png", "b.png", "c.png")
    assert labels(dataset) == {"a.png": "0", "b.png": "0", "c.png": "1"}
    assert dataset.notes == (
        "t.csv: the class is read from 'Label', not from 'diagnosis'; --label-column NAME chooses",
    )
    chosen = open_source(str(tmp_path), columns=Columns(label="diagnosis"))
    assert labels(chosen) == {"a.png": "ill", "b.png": "well", "c.png": "well"}
    assert chosen.notes == ()


def test_a_second_column_with_the_same_classes_by_other_words_is_not_worth_a_note(tmp_path):
    dataset = opened(tmp_path, "image,label,diagnosis\na,0,well\nb,1,ill\n", "a.png", "b.png")
    assert dataset.notes == ()


def test_splits_come_from_a_column_a_folder_or_the_name_of_the_table(tmp_path):
    table = "image,label,split\na,0,Training\nb,1,valid\nc,1,\n"
    dataset = opened(tmp_path, table, "x/a.png", "x/b.png", "test/c.png", name="all.csv")
    assert [case.split for case in dataset.cases] == ["test", "train", "val"]
    lay(
        tmp_path / "two",
        pictures("x/a.png", "x/b.png") | {"train.csv": "image,label\na,0\n", "test.csv": "image,label\nb,1\n"},
    )
    assert [case.split for case in open_source(str(tmp_path / "two")).cases] == ["train", "test"]


def test_the_name_of_a_table_says_its_split_in_any_case_of_letters(tmp_path):
    """Else the test that came with the set would be drawn from for training, without a word."""
    files = {"TRAIN.CSV": "image,label\na,0\n", "Test.Csv": "image,label\nb,1\n"}
    lay(tmp_path, pictures("x/a.png", "x/b.png") | files)
    assert [case.split for case in open_source(str(tmp_path)).cases] == ["train", "test"]


def test_folders_win_over_a_table_that_says_the_same(tmp_path):
    dataset = opened(tmp_path, "image,class\na,tumor\nb,tumor\nc,normal\n", "ill/a.png", "ill/b.png", "well/c.png")
    assert dataset.layout == "class folders"
    assert dataset.classes == ("ill", "well")
    assert "--label-column" in dataset.notes[0]


def test_a_table_wins_over_folders_of_patients(tmp_path):
    dataset = opened(tmp_path, "image,class\na,1\nb,0\nc,1\n", "p1/a.png", "p2/b.png", "p3/c.png")
    assert labels(dataset) == {"p1/a.png": "1", "p2/b.png": "0", "p3/c.png": "1"}


def test_a_table_wins_where_its_columns_are_named(tmp_path):
    dataset = opened(tmp_path, "image,class\na,x\nb,y\n", "ill/a.png", "well/b.png", columns=Columns(label="class"))
    assert labels(dataset) == {"ill/a.png": "x", "well/b.png": "y"}


def test_a_table_is_a_reference_of_its_own(tmp_path):
    lay(
        tmp_path,
        pictures("ill/a.png", "well/b.png") | {"t.csv": "image,class\na,x\nb,y\n", "u.csv": "image,class\na,z\n"},
    )
    dataset = open_source(f"{tmp_path}/t.csv")
    assert {case.id: case.raw_label for case in dataset.cases} == {
        f"{tmp_path}/ill/a.png": "x",
        f"{tmp_path}/well/b.png": "y",
    }


@pytest.mark.parametrize("table", [b"image,label\na,\xff\xfe\n", b"image,label\na\0,1\n", b"image,label\nnobody,1\n"])
def test_a_table_that_cannot_be_used_is_an_error_only_where_it_is_needed(tmp_path, table):
    lay(tmp_path / "flat", pictures("a.png") | {"t.csv": table})
    with pytest.raises(UnreadableSource, match=r"t\.csv"):
        open_source(str(tmp_path / "flat"))
    lay(tmp_path / "sorted", pictures("ill/a.png", "well/b.png") | {"t.csv": table})
    assert open_source(str(tmp_path / "sorted")).classes == ("ill", "well")


def test_a_table_about_something_else_is_left_alone(tmp_path):
    dataset = opened(tmp_path, "scanner,year\nX,2020\n", "a.png")
    assert dataset.layout == "unlabelled"


@needs_data
@pytest.mark.data
@pytest.mark.parametrize("reference", ["brain-mri-csv", "brain-mri-csv/BrainTumor.csv"])
def test_the_real_table_labels_every_image(reference):
    dataset = with_task(open_source(str(SHARED / reference)), find_task("brain-tumor-presence-mri"))
    assert dataset.counts == {"healthy": 1653, "tumor": 1340}
    assert dataset.stray == ()


@needs_data
@pytest.mark.data
def test_the_real_table_beside_class_folders_says_the_same_as_they_do():
    by_folder = with_task(open_source(str(SHARED / "brain-mri-binary")), find_task("brain-tumor-presence-mri"))
    by_table = open_source(str(SHARED / "brain-mri-binary"), columns=Columns(label="class"))
    by_table = with_task(by_table, find_task("brain-tumor-presence-mri"))
    said = {case.path: case.label for case in by_table.cases}
    assert len(said) > 0.9 * len(by_folder)
    assert all(said.get(case.path, case.label) == case.label for case in by_folder.cases)


def test_a_row_of_an_absent_file_is_not_read_as_another_folders_file(tmp_path):
    table = "image,label\ntrain/a.png,0\ntrain/b.png,1\n"
    dataset = opened(tmp_path, table, "train/a.png", "test/b.png", columns=Columns(label="label"))
    assert labels(dataset) == {"train/a.png": "0"}
    assert "1 rows name no file: train/b.png" in dataset.notes


def test_paths_of_another_machine_are_found_by_their_end(tmp_path):
    table = "image,label\n/kaggle/input/x/images/a.png,0\nC:\\data\\images\\b.png,1\n"
    assert labels(opened(tmp_path, table, "images/a.png", "images/b.png")) == {"images/a.png": "0", "images/b.png": "1"}


def test_a_file_in_two_splits_is_said_and_no_test(tmp_path):
    files = {"train.csv": "image,label\na,0\nb,1\n", "test.csv": "image,label\nb,1\nc,0\n"}
    lay(tmp_path, pictures("x/a.png", "x/b.png", "x/c.png") | files)
    dataset = open_source(str(tmp_path))
    assert [case.split for case in dataset.cases] == ["train", "train", "test"]
    assert any("several splits" in note for note in dataset.notes)


def test_spreadsheets_that_say_their_delimiter_and_letters_of_two_parts(tmp_path):
    composed, parted = "gr\u00f6\u00dfe", "gro\u0308\u00dfe"
    dataset = opened(tmp_path, f"sep=;\r\nimage;label\r\n{composed};1\r\nb;0\r\n", f"{parted}.png", "b.png")
    assert labels(dataset) == {"b.png": "0", f"{parted}.png": "1"}


@pytest.mark.parametrize("head", ['image;label;"age, sex, site, scanner"', "\r\nimage;label;notes"])
def test_the_delimiter_is_that_between_the_names_of_the_columns(tmp_path, head):
    """Neither commas inside a quoted name nor an empty line above the names are taken for it."""
    dataset = opened(tmp_path, f'{head}\na;1;"x, y"\nb;0;"z"\n', "images/a.png", "images/b.png")
    assert labels(dataset) == {"images/a.png": "1", "images/b.png": "0"}


def test_nan_in_a_column_of_patients_is_nobody(tmp_path):
    dataset = opened(tmp_path, "image,label,patient\na,0,nan\nb,1,N/A\nc,1,7\n", "a.png", "b.png", "c.png")
    assert [case.patient is None for case in dataset.cases] == [True, True, False]


def test_a_patient_whose_number_one_table_writes_with_a_point_is_the_same_patient(tmp_path):
    """A column that lacks one number is written 7.0 by pandas, and that patient's leak into the test was not seen."""
    files = {"train.csv": "image,label,patient\na,0,7.0\nb,1,\n", "test.csv": "image,label,patient\nc,1,7\nd,0,70\n"}
    lay(tmp_path, pictures("x/a.png", "x/b.png", "x/c.png", "x/d.png") | files)
    one, nobody, same, other = (case.patient for case in open_source(str(tmp_path), cache=tmp_path / "cache").cases)
    assert one == same is not None
    assert nobody is None
    assert other not in (one, None)


def test_folders_that_are_not_here_are_said(tmp_path):
    table = "image,label\nold/a.png,0\nold/b.png,1\n"
    dataset = opened(tmp_path, table, "new/a.png", "new/b.png", columns=Columns(label="label"))
    assert labels(dataset) == {"new/a.png": "0", "new/b.png": "1"}
    assert any(note.startswith("2 rows name folders that are not here") for note in dataset.notes)


def test_an_empty_table_is_named_and_not_the_images_beside_it(tmp_path):
    lay(tmp_path, pictures("a.png", "b.png") | {"labels.csv": ""})
    with pytest.raises(UnreadableSource, match=r"labels\.csv: is empty, or no table"):
        open_source(str(tmp_path / "labels.csv"))


@pytest.mark.parametrize("reference", ["", "/t.csv"])
@pytest.mark.parametrize("column", [None, "label"])
def test_a_table_whose_column_of_the_class_is_empty_is_told_so(tmp_path, reference, column):
    """It was called a folder without images, or a table whose columns nobody knows."""
    lay(tmp_path, pictures("x/a.png", "x/b.png") | {"t.csv": "image,label\na,\nb,\n"})
    if reference or column:
        with pytest.raises(UnreadableSource, match=r"t\.csv: gives no image a class: .*'label' .*--label-column"):
            open_source(f"{tmp_path}{reference}", columns=Columns(label=column))
    else:
        assert open_source(str(tmp_path)).layout == "class folders"


def test_a_table_of_which_no_column_is_known_is_told_with_the_options_that_name_them(tmp_path):
    dataset = opened(tmp_path, "Bild;Befund\n1.png;NORMAL\n", "images/1.png", "images/2.png")
    (note,) = dataset.notes
    assert note.startswith("t.csv: not used, none of its columns is known")
    with pytest.raises(
        DataError, match=r"or add a table \(t\.csv: not used, .*--image-column NAME --label-column NAME"
    ):
        with_task(dataset, find_task("pneumonia-cxr"))


@pytest.mark.parametrize("images", ["images", "NORMAL"])
def test_of_tables_without_number_that_are_not_read_three_are_named(images, tmp_path):
    """There may be one beside every image."""
    tables = {f"t{i}.csv": "a;b\n1;2\n" for i in range(1, 9)}
    lay(tmp_path, pictures(*(f"{images}/{i}.png" for i in range(2))) | tables)
    (note,) = open_source(str(tmp_path)).notes
    assert note.startswith("t1.csv, t2.csv, t3.csv and 5 more: not used, ")


def test_a_column_of_patients_that_is_not_read_is_told(tmp_path):
    """Class folders were read, and the patients of the table beside them were in two parts of a split."""
    patients = {"t.csv": "file,class,who\n1.png,a,ada\n2.png,b,ada\n"}
    lay(tmp_path, pictures("a/1.png", "b/2.png") | patients)
    with pytest.raises(UsageError, match=r"'who' of patients is not read.*--label-column NAME"):
        open_source(str(tmp_path), columns=Columns(group="who"))
    for columns in (Columns(group="who", label="class"), Columns(group="who", table="t.csv")):
        patient = {case.patient for case in open_source(str(tmp_path), columns=columns).cases}
        assert (len(patient), None in patient) == (1, False)


@pytest.mark.parametrize(("beside", "why"), [({}, "no table lies there"), ({"t.csv": "Bild,wer\n1,2\n"}, "name both")])
def test_a_column_without_a_table_that_holds_it_is_told(tmp_path, beside, why):
    """It was a folder without images."""
    lay(tmp_path, pictures("1.png", "2.png") | beside)
    with pytest.raises(UsageError, match=why):
        open_source(str(tmp_path), columns=Columns(image="Bild"))
